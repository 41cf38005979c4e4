"""A sketched file as it is read."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.read import OnnxSource, read_onnx
from tests.exporters.onnx_input.sketches import saved


def silent(_stage: str) -> None:
    """Nobody is watching."""


def read(model: onnx.ModelProto, folder: Path, size: tuple[int | None, int, int] | None = None) -> OnnxSource:
    return read_onnx(saved(model, folder), size, silent)


def problems(model: onnx.ModelProto, folder: Path, size: tuple[int | None, int, int] | None = None) -> dict[str, str]:
    with pytest.raises(OnnxInputError) as caught:
        read(model, folder, size)
    return dict(caught.value.problems)
