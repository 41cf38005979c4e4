"""The audit of a file of either format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import audit_file, format_of
from condmix.runtime.errors import InvalidSettingError, ModelUnreadableError
from tests.runtime.audit.onnx_files import write_float, write_static
from tests.runtime.audit.tflite_models import net


def test_the_content_decides_then_the_name(tmp_path: Path):
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(net())
    assert format_of(odd) is Format.TFLITE
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"text")
    assert format_of(damaged) is Format.TFLITE
    assert format_of(write_float(tmp_path)) is Format.ONNX


@pytest.mark.parametrize(
    ("content", "said"), [(None, "there is no such file"), (b"", "it is empty"), ("folder", "it is a folder")]
)
def test_what_is_no_file(tmp_path: Path, content: bytes | str | None, said: str):
    path = tmp_path / "a.onnx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(ModelUnreadableError, match=said):
        format_of(path)


def test_both_formats_give_one_kind_of_record(tmp_path: Path):
    (tmp_path / "net.tflite").write_bytes(net(activations="int8", weights="int8"))
    records = [
        audit_file(path, threads=1, runs=1, shapes={}).to_dict()
        for path in (write_static(tmp_path), tmp_path / "net.tflite")
    ]
    assert [record["format"] for record in records] == ["onnx", "tflite"]
    assert [record["int8_share"] for record in records] == [1, 1]
    assert set(records[0]) == set(records[1])
    json.dumps(records, allow_nan=False)


def test_shapes_are_for_free_axes(tmp_path: Path):
    audit = audit_file(write_float(tmp_path), threads=1, runs=1, shapes={"image": (2, 3, 16, 16)})
    assert audit.input_shapes == {"image": (2, 3, 16, 16)}
    (tmp_path / "net.tflite").write_bytes(net())
    with pytest.raises(InvalidSettingError, match="those of a TFLite file are fixed"):
        audit_file(tmp_path / "net.tflite", threads=1, runs=1, shapes={"image": (1, 6, 6, 3)})


def test_no_runs_are_refused(tmp_path: Path):
    with pytest.raises(InvalidSettingError, match="runs must be at least 1, found 0"):
        audit_file(write_float(tmp_path), threads=1, runs=0, shapes={})
