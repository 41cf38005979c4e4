"""A network with its weights and everything needed to feed it and to say where it came from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from condmix.models.preprocessing import InputSize, Preprocessing


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedNetwork:
    """A network ready to run: eval mode, float32, no gradients wanted.

    `architecture` is a name of the zoo, "timm:NAME", "factory:package.module:function" or "pickle:CLASS";
    `settings` are the changes to its defaults. `input_size` is channels, height and width of one input.
    `source_sha256` is the check sum of the file at `source`; both are None where there was no file.
    `notes` are sentences on what was done or assumed while loading, for the report.
    """

    module: nn.Module
    architecture: str
    settings: Mapping[str, object]
    input_size: InputSize
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None
    source: Path | None
    source_sha256: str | None
    notes: tuple[str, ...]
