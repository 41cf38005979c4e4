"""Constants of two files by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.measure.stored_weights import compare_weights, stored_weights
from condmix.runtime.artifact import Format
from tests.runtime.audit.onnx_files import write_float, write_weights_only
from tests.runtime.audit.tflite_models import net


def test_constants_of_an_onnx_file(tmp_path: Path) -> None:
    found = stored_weights(write_float(tmp_path), Format.ONNX)
    assert found["stem.weight"].shape == (12, 3, 3, 3)
    assert len(found) == 8


def test_constants_of_a_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(net(weights="int8", activations="int8"))
    found = stored_weights(path, Format.TFLITE)
    assert (found["w1"].dtype, found["w1"].shape) == (np.dtype(np.int8), (8, 3, 3, 3))


def test_a_file_whose_constants_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(UnreadableFileError, match=r"a\.onnx: its constants cannot be read: "):
        stored_weights(tmp_path / "a.onnx", Format.ONNX)


def test_equal_other_unlike_and_alone() -> None:
    one = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = compare_weights(
        {"same": one, "moved": one, "half": one, "turned": one, "int": one, "broken": one, "mine": one},
        {
            "same": one.copy(),
            "moved": one + np.float32(0.5),
            "half": one.astype(np.float16),
            "turned": one.T,
            "int": one.astype(np.int8),
            "broken": one * np.float32(np.nan),
            "yours": one,
        },
    )
    assert found.equal == ("same",)
    assert found.max_abs_difference == {"broken": float("inf"), "moved": 0.5, "half": 0.0}
    assert found.unlike == {
        "turned": "float32 2x3 against float32 3x2",
        "int": "float32 2x3 against int8 2x3",
    }
    assert (found.only_a, found.only_b, found.shared) == (("mine",), ("yours",), 6)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["max_abs_difference"]["broken"] is None


def test_float_weights_against_their_int8_form(tmp_path: Path) -> None:
    floating = stored_weights(write_float(tmp_path), Format.ONNX)
    found = compare_weights(floating, stored_weights(write_weights_only(tmp_path), Format.ONNX))
    assert set(found.equal) == {name for name in floating if name.endswith(".bias")}
