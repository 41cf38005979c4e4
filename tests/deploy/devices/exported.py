"""Two small networks, a CondConv net and a MixNet, really exported in both formats, as a plan for any device."""

from __future__ import annotations

from pathlib import Path

import torch

from condmix.deploy.cli import run
from condmix.deploy.measure.plan import BenchPlan, BenchRequest, make_plan
from condmix.models import checkpoint, zoo
from condmix.models.digits import CLASS_NAMES, PREPROCESSING

SETTINGS = {"condconv_digits": {"width": 0.5, "experts": 2}, "mixnet_digits": {"width": 0.5}}


def export_all(folder: Path) -> tuple[Path, ...]:
    """The .onnx and .tflite files, each with PyTorch's outputs beside it."""
    files = []
    for name, settings in SETTINGS.items():
        torch.manual_seed(0)
        weights = folder / f"{name}.pt"
        checkpoint.save(
            weights,
            zoo.build(name, settings),
            architecture=name,
            settings=settings,
            input_size=(1, 32, 32),
            preprocessing=PREPROCESSING,
            class_names=CLASS_NAMES,
        )
        assert run(["export", str(weights), "--format", "onnx,tflite", "-o", str(folder), "-q"], program="condmix") == 0
        files += [folder / f"{name}.onnx", folder / f"{name}.tflite"]
    return tuple(files)


def plan_of(files: tuple[Path, ...]) -> BenchPlan:
    """All of them, with their references."""
    return make_plan(BenchRequest(files=files))
