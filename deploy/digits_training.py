"""Training a network of the zoo on real handwritten digits, and saving it as a checkpoint of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from condmix.deploy.errors import PlanError
from condmix.deploy.torch_threads import one_torch_thread
from condmix.deploy.trained_checkpoint import save_trained
from condmix.models import digits, training, zoo
from condmix.models.architectures import input_size
from condmix.models.epochs import TrainingProgress
from condmix.models.training import TrainingResult, TrainingSettings

SUITED = ("condconv_digits", "mixnet_digits")


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """Where the checkpoint lies and what training came to."""

    path: Path
    architecture: str
    result: TrainingResult


def check_suits_digits(architecture: str, settings: Mapping[str, object]) -> None:
    """The network takes grey pictures, of whatever size, and names ten classes.

    Raises PlanError with the flags that would make it so; UnknownArchitectureError, SettingsError.
    """
    chosen = zoo.settings_for(architecture, settings)
    wanted = {"in_channels": digits.INPUT_SIZE[0], "num_classes": len(digits.CLASS_NAMES)}
    wrong = {name: value for name, value in wanted.items() if getattr(chosen, name) != value}
    if wrong:
        shape, flags = (
            "x".join(map(str, input_size(chosen))),
            " ".join(f"--set {name}={value}" for name, value in wrong.items()),
        )
        summary = f"{architecture} cannot be trained on the digits (grey, ten classes):"
        problems = [
            f"as it is set it takes {shape} and names {chosen.num_classes} classes",
            f"choose one of {', '.join(SUITED)}, or give {flags}",
        ]
        raise PlanError(summary, problems)


def train_digits(
    architecture: str,
    settings: Mapping[str, object],
    training_settings: TrainingSettings,
    path: Path,
    report_progress: Callable[[TrainingProgress], None],
) -> TrainedNetwork:
    """The network is trained on one thread from fresh weights drawn by the seed, and saved at `path`.

    Raises subclasses of ModelError, PlanError for a network that does not suit, OutputError.
    """
    check_suits_digits(architecture, settings)
    data = digits.load(input_size=input_size(zoo.settings_for(architecture, settings)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training_settings.seed)
        module = zoo.build(architecture, settings)
    with one_torch_thread():
        result = training.train(module, data, training_settings, report_progress)
    remark = (
        f"trained on {len(data.train_labels)} digits for {training_settings.epochs} epochs with seed "
        f"{training_settings.seed}: {result.held_out_accuracy:.2%} of {result.held_out_count} held-out ones "
        "named rightly"
    )
    save_trained(
        path,
        module,
        architecture=architecture,
        settings=settings,
        input_size=data.input_size,
        preprocessing=data.preprocessing,
        class_names=data.class_names,
        remark=remark,
    )
    return TrainedNetwork(path=path, architecture=architecture, result=result)
