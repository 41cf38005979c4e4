"""The reference beside int8 files: images of calibration with PyTorch's numbers, and the limit of agreement."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch

from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.int8.float_network import FloatNetwork
from condmix.deploy.int8.plan import Int8Plan, plan_int8
from condmix.deploy.int8.record import Int8FileOutcome
from condmix.deploy.int8.reference import int8_reference, reference_notes
from condmix.deploy.loading import Loading, load_network
from condmix.exporters.verify.rounded import RoundedLimits
from condmix.models import digits


def plan_with(io_dtype: str) -> Int8Plan:
    return plan_int8(
        Loading(model=Path("net.pt")),
        None,
        ["onnx"],
        Int8Flags(io_dtype=io_dtype),
        batch=1,
        opset=18,
        layout="nhwc",
        overwrite=False,
        command_line=(),
    )


def test_the_judged_images_furthest_apart_with_pytorchs_results(int8_weights: Path) -> None:
    network = load_network(Loading(model=int8_weights))
    images = digits.load().train_images[:12]
    routing = np.linspace(0, 1, 12)[:, None] * np.ones((1, 2))
    float_network = FloatNetwork(
        images_nchw=np.concatenate([np.zeros((3, 1, 32, 32), np.float32), images]),
        outputs={"logits": np.zeros((12, 10), np.float32)},
        routing={"r": routing},
        labelled=None,
        size_bytes=1,
        judged_are="images of digits.npy",
        input_names=("pixels",),
    )
    file = SimpleNamespace(
        artifact=SimpleNamespace(path=Path("out/net_int8.onnx")),
        verification=SimpleNamespace(limits=RoundedLimits(least_sqnr_db=12.0)),
    )
    files = [cast(Int8FileOutcome, file)]
    made = int8_reference(plan_with("float32"), network.module, float_network, files)
    assert made is not None
    assert made.images == 8
    assert {name: limit.to_dict() for name, limit in made.limits.items()} == {"net_int8.onnx": {"sqnr_db": 12.0}}
    places = [next(i for i, image in enumerate(images) if np.array_equal(image, row)) for row in made.inputs["pixels"]]
    assert {0, 11} < set(places)
    with torch.no_grad():
        exact = network.module.double()(torch.from_numpy(images[places]).double()).numpy()
    np.testing.assert_allclose(made.outputs["logits"], exact, rtol=1e-6, atol=1e-9)
    assert "on images of digits.npy;" in made.outputs_are
    assert reference_notes(plan_with("float32")) == ()
    # Integers of a scale that the file does not state: images could never be fed to it again.
    integers = plan_with("int8")
    assert int8_reference(integers, network.module, float_network, files) is None
    assert "the ONNX file takes int8 and does not say of what scale" in reference_notes(integers)[0]
