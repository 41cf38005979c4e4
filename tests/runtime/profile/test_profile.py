"""The profile of a file of either format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.runtime.errors import InferenceError, InvalidSettingError, ModelUnreadableError
from condmix.runtime.profile import peak
from condmix.runtime.profile.profile import profile_file
from tests.runtime.profile.nets import ROOF, condconv_onnx, condconv_tflite


@pytest.mark.parametrize(("suffix", "content"), [(".onnx", condconv_onnx()), (".tflite", condconv_tflite(96))])
def test_either_format_is_profiled_in_its_engine_with_the_constructs_of_its_record(
    suffix: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(peak, "LEAST_SECONDS", 0.0)
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    layers = [{"path": "act", "kind": "MixConv", "recognised": True}]
    record = {"artifacts": [{"artifact": {"format": suffix[1:]}, "layers": layers}]}
    found = profile_file(path, threads=1, runs=2, shapes={}, record=record)
    assert found.engine == {".onnx": "onnxruntime", ".tflite": "ai-edge-litert"}[suffix]
    assert [one.kind for one in found.modules if one.module == "act"] in ([], ["MixConv"])  # it may be fused away
    assert found.peak.how.endswith("calls")
    assert json.loads(json.dumps(found.to_dict()))["runs"] == 2


def test_all_settings_are_checked_at_once(tmp_path: Path):
    path = tmp_path / "net.tflite"
    path.write_bytes(condconv_tflite())
    with pytest.raises(InvalidSettingError) as caught:
        profile_file(path, threads=0, runs=0, shapes={"image": (1, 8, 8, 16)}, roof=ROOF)
    assert caught.value.problems == (
        "threads must be at least 1, found 0",
        "runs must be at least 1, found 0",
        "shapes are given for 'image', but those of a TFLite file are fixed",
    )


@pytest.mark.parametrize("name", ["missing.onnx", "missing.tflite"])
def test_a_missing_file_is_named(name: str, tmp_path: Path):
    with pytest.raises(ModelUnreadableError, match="there is no such file"):
        profile_file(tmp_path / name, threads=1, runs=1, shapes={}, roof=ROOF)


@pytest.mark.parametrize("content", [b"", b"no model at all", condconv_onnx()[:200], condconv_tflite()[:300]])
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_a_damaged_file_is_a_named_error(suffix: str, content: bytes, tmp_path: Path):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    with pytest.raises(InferenceError):
        profile_file(path, threads=1, runs=1, shapes={}, roof=ROOF)


def test_a_shape_that_does_not_fit_is_named(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(condconv_onnx())
    with pytest.raises(InvalidSettingError, match="the shape of 'image' is 1x3x16x16 in the file, asked for 1x3x8x8"):
        profile_file(path, threads=1, runs=1, shapes={"image": (1, 3, 8, 8)}, roof=ROOF)
