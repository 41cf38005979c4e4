"""From what a user typed about a weights file to the network in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.detect.flags import DetectionFlags
from condmix.deploy.errors import PlanError
from condmix.deploy.input_size import RequestedSize

if TYPE_CHECKING:
    from condmix.models.network import TorchNetwork


@dataclass(frozen=True, kw_only=True)
class Loading:
    """A weights file and what is said about it. Raises PlanError for what contradicts itself."""

    model: Path
    architecture: str | None = None
    factory: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    input_size: RequestedSize | None = None
    allow_pickle: bool = False
    input_names: tuple[str, ...] | None = None
    output_names: tuple[str, ...] | None = None
    more_inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    any_size: bool = False
    """Whether an ONNX file's height and width are opened, if they are numbers."""
    detection: DetectionFlags = field(default_factory=DetectionFlags)

    def __post_init__(self) -> None:
        problems = []
        if self.architecture is not None and self.factory is not None:
            problems.append("--arch and --factory both say the network: give one")
        if self.factory is not None and self.settings:
            problems.append("--set changes a network of --arch; --factory is called without arguments")
        if self.is_onnx:
            problems += [
                f"{flag} is about weights files, an .onnx file says itself what it computes: leave it out"
                for flag, given in (
                    ("--arch", self.architecture is not None),
                    ("--factory", self.factory is not None),
                    ("--set", bool(self.settings)),
                    ("--allow-pickle", self.allow_pickle),
                )
                if given
            ]
        if self.any_size and self.more_inputs:
            problems.append("--dynamic-size is about networks of images alone: leave it or --extra-input out")
        if self.is_onnx and self.more_inputs:
            problems.append("--extra-input is about weights files, an .onnx file says what it takes: leave it out")
        if problems:
            summary = "these flags contradict each other:"
            raise PlanError(summary, problems)

    def refuse_weights_flags(self, what: str) -> None:
        """Nothing happens unless something was said about a network that `what` says itself. Raises PlanError."""
        given = (
            ("--arch", self.architecture),
            ("--factory", self.factory),
            ("--set", self.settings or None),
            ("--extra-input", self.more_inputs or None),
        )
        problems = [
            f"{flag} is about weights files, {what} says itself what it computes: leave it out"
            for flag, value in given
            if value is not None
        ]
        if problems:
            summary = "these flags contradict the file:"
            raise PlanError(summary, problems)

    @property
    def is_onnx(self) -> bool:
        """Whether the network comes as an ONNX file; see `condmix.deploy.source`."""
        return self.model.suffix.lower() == ".onnx"


def load_network(loading: Loading) -> TorchNetwork:
    """The network in the file, in eval mode, at the size asked for. Raises subclasses of ModelError."""
    from condmix.models import checkpoint

    size = loading.input_size
    network = checkpoint.load(
        loading.model,
        architecture=loading.architecture,
        factory=loading.factory,
        settings=dict(loading.settings) or None,
        input_size=None if size is None else size.complete,
        allow_pickle=loading.allow_pickle,
        more_inputs=loading.more_inputs,
    )
    if size is None or size.complete is not None:
        return network
    return _resized(network, size.for_channels(network.input_size[0]), loading.more_inputs)


def _resized(
    network: TorchNetwork, input_size: tuple[int, int, int], more_inputs: Mapping[str, tuple[int, ...]]
) -> TorchNetwork:
    """The network at another height and width, tried on one input of zeros as `checkpoint.load` does."""
    import torch

    from condmix.models.errors import InputSizeError

    try:
        with torch.no_grad():
            network.module(*(torch.zeros((1, *shape)) for shape in (input_size, *more_inputs.values())))
    except Exception as error:
        message = (
            f"{network.source}: the network does not run on an input of (batch, channels, height, width) = "
            f"{(1, *input_size)}: {type(error).__name__}: {error}; give the right --input-size"
        )
        raise InputSizeError(message) from error
    return dataclasses.replace(network, input_size=input_size)
