"""Saving a network that has just been trained: a full disk is a matter of the disk, not of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from condmix.deploy.errors import OutputError
from condmix.models import checkpoint
from condmix.models.errors import CheckpointError
from condmix.models.preprocessing import InputSize, Preprocessing


def save_trained(
    path: Path,
    module: nn.Module,
    *,
    architecture: str,
    settings: Mapping[str, object],
    input_size: InputSize,
    preprocessing: Preprocessing,
    class_names: Sequence[str],
    remark: str,
) -> None:
    """The checkpoint lies at `path`; `remark` says how it came about.

    Raises OutputError where the file cannot be written, else what `checkpoint.save` raises.
    """
    try:
        checkpoint.save(
            path,
            module,
            architecture=architecture,
            settings=settings,
            input_size=input_size,
            preprocessing=preprocessing,
            class_names=class_names,
            remarks=(remark,),
        )
    except CheckpointError as error:
        if isinstance(error.__cause__, OSError):
            raise OutputError(path, error.__cause__) from error
        raise
