"""A network with its weights and everything needed to feed it and to say where it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.models.preprocessing import InputSize, Preprocessing

if TYPE_CHECKING:
    from torch import nn


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedNetwork:
    """What is known of a network, whatever it was read from.

    `architecture` is a name of the zoo, "timm:NAME", "factory:package.module:function", "pickle:CLASS", or
    "onnx:NAME" or "program:NAME" for a graph that somebody else exported;
    `settings` are the changes to its defaults. `input_size` is channels, height and width of one input.
    `source_sha256` is the check sum of the file at `source`; both are None where there was no file.
    `notes` are sentences on what was done or assumed while loading, for the report. `output_kinds` says what each
    output is, `input_shapes` what it takes (without the batch axis), by name, once the network was captured.
    """

    architecture: str
    settings: Mapping[str, object]
    input_size: InputSize
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None
    source: Path | None
    source_sha256: str | None
    notes: tuple[str, ...]
    output_kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    input_shapes: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    detection: Mapping[str, object] | None = None
    """What a detector's outputs are and how they are read, for the file and its record; None for other networks."""

    @property
    def yardstick(self) -> str:
        """Whose results exports are compared with, as texts call it."""
        return "the original file"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TorchNetwork(LoadedNetwork):
    """The same with the module itself, ready to run: eval mode, float32, no gradients wanted."""

    module: nn.Module

    @property
    def yardstick(self) -> str:
        """PyTorch runs it."""
        return "PyTorch"
