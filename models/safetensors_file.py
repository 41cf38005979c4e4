"""Reads safetensors files: tensors and a table of texts, no code by construction."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from condmix.models.errors import NotACheckpointError


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of the file and the texts in its header; `NotACheckpointError` if it is damaged."""
    try:
        with safe_open(path, framework="pt", device="cpu") as archive:
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 - not a mapping
            return tensors, dict(archive.metadata() or {})
    except (SafetensorError, OSError) as error:
        message = f"{path}: is cut off or damaged ({error}); copy or download it again"
        raise NotACheckpointError(message) from None
