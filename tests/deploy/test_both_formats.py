"""Exports to TFLite and to both formats at once: what is written when one of two files fails or cannot be built."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from condmix.deploy import verified_file
from condmix.deploy.tflite_site import default_site
from condmix.exporters.tflite import build as tflite_build
from condmix.exporters.tflite.model import TfliteModel
from condmix.exporters.verify.records import Verification
from condmix.runtime import tflite_environment
from condmix.runtime.artifact import Artifact
from condmix.runtime.bench.reference import read_reference
from condmix.runtime.litert_session import LiteRtBackend
from tests.deploy.conftest import Run, failing, files_in
from tests.runtime.tflite_sites import STAND_IN, make_stand_in

BOTH = ("--format", "onnx,tflite")
INVERSE = """
import torch
from torch import nn

class Inverse(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return torch.erf(self.conv(x)).mean((2, 3))

def build():
    return Inverse()
"""


@pytest.mark.usefixtures("graph_given")
def test_one_run_writes_both_files_and_one_record(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix("export", weights, *BOTH, "-o", tmp_path)
    assert ran.code == 0
    assert files_in(tmp_path) == {"small.onnx", "small.tflite", "small.condmix.json", "small.reference.npz"}
    assert ran.err.count("condmix: capture\n") == ran.err.count("condmix: run PyTorch\n") == 1
    record = json.loads((tmp_path / "small.condmix.json").read_text())
    of_onnx, of_tflite = record["artifacts"]
    assert (of_onnx["input_layout"], of_tflite["input_layout"]) == ("NCHW", "NHWC")
    assert (of_onnx["opset"], of_tflite["opset"]) == (18, None)
    assert of_onnx["verification"]["images"] == of_tflite["verification"]["images"]
    artifact = Artifact.from_dict(of_tflite["artifact"])
    assert artifact.path == Path("small.tflite")
    assert artifact.size_bytes == (tmp_path / "small.tflite").stat().st_size
    assert artifact.signature.inputs[0].shape == (1, 32, 32, 1)
    assert artifact.signature.inputs[0].layout == "NHWC"
    ways = {(item["delegate"], item["threads"]) for item in of_tflite["verification"]["stages"][-4:]}
    assert ways == {(True, 1), (True, 2), (False, 1), (False, 2)}
    assert of_tflite["second_runtime"]["compatible"] is None
    assert {"ai-edge-litert", "flatbuffers"} <= set(record["versions"])


@pytest.mark.usefixtures("captured_once")
def test_flags_reach_the_tflite_file(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix(
        *("export", weights, "--format", "tflite", "-o", tmp_path, "--batch", "2", "--json", "-q"),
        *("--precision", "float16", "--experts", "int8", "--layout", "nchw", "--tolerance", "0.2"),
    )
    assert ran.code == 0
    stem = "small_float16_int8experts"
    assert files_in(tmp_path) == {f"{stem}.tflite", f"{stem}.condmix.json", f"{stem}.reference.npz"}
    (entry,) = json.loads(ran.out)["artifacts"]
    assert entry["options"] == {
        "batch": 2,
        "precision": "float16",
        "experts": "int8",
        "layout": "nchw",
        "condconv": "auto",
    }
    assert entry["input_layout"] == "NCHW"
    assert entry["artifact"]["signature"]["inputs"][0]["shape"] == [2, 1, 32, 32]
    limits = {item["stage"]: item["parity"]["tolerance"]["relative"] for item in entry["verification"]["stages"]}
    assert limits == {
        "captured": 2e-5,
        "named": 2e-5,
        "rewritten": 2e-5,
        "tflite, float32 experts": 2e-5,
        "tflite": 0.2,
    }
    assert all("stored as int8" in layer["why"] for layer in entry["layers"])


@pytest.mark.usefixtures("captured_once")
def test_experts_work_in_both_files_and_a_tolerance_holds_everywhere(
    condmix: Run, weights: Path, tmp_path: Path
) -> None:
    ran = condmix("export", weights, *BOTH, "-o", tmp_path, "--condconv", "experts", "--tolerance", "1e-4", "--json")
    for entry in json.loads(ran.out)["artifacts"]:
        assert {layer["form"] for layer in entry["layers"]} == {"experts"}
        stages = entry["verification"]["stages"]
        assert {item["parity"]["tolerance"]["relative"] for item in stages} == {1e-4}


@pytest.mark.usefixtures("quick")
def test_flags_for_the_onnx_file_only_are_told(condmix: Run, weights: Path, tmp_path: Path) -> None:
    ran = condmix("export", weights, *BOTH, "-o", tmp_path, "--condconv", "kernel", "--opset", "18")
    assert ran.code == 0
    note = "for the ONNX file only: --condconv kernel, --opset 18; the TFLite file has its own forms"
    assert f" note     {note}" in ran.out


@pytest.mark.parametrize("formats", ["tflite", "onnx,tflite"])
def test_any_number_of_images_is_code_4_before_any_work(
    condmix: Run, weights: Path, tmp_path: Path, formats: str
) -> None:
    ran = condmix("export", weights, "--format", formats, "--batch", "dynamic", "-o", tmp_path)
    assert ran.code == 4
    assert "TFLite writes all shapes into the file" in ran.err
    assert "use --batch N" in ran.err
    assert "condmix: load" not in ran.err
    assert files_in(tmp_path) == set()


def test_what_has_no_tflite_form_is_code_4_and_writes_no_onnx_file_either(
    condmix: Run, user_code: Callable[[str], str], tmp_path: Path
) -> None:
    name = user_code(INVERSE)
    torch.manual_seed(0)
    torch.save({f"conv.{key}": value for key, value in nn.Conv2d(3, 4, 1).state_dict().items()}, tmp_path / "net.pt")
    before = files_in(tmp_path)
    arguments = ("export", tmp_path / "net.pt", "--factory", f"{name}:build", "--input-size", "3x8x8", "-q")
    ran = condmix(*arguments, *BOTH)
    assert ran.code == 4
    assert "Erf" in ran.err
    assert {entry for entry in files_in(tmp_path) - before if entry != "__pycache__"} == set()


def _perturb(model: TfliteModel) -> None:
    """The first layer's weights are off by a thousandth."""
    tensor = next(item for item in model.tensors() if item.data is not None and item.data.ndim == 4)
    assert tensor.data is not None
    assert tensor.data.dtype == np.float32
    tensor.data = tensor.data * np.float32(1.001)


def test_a_wrong_tflite_file_is_rejected_beside_a_good_onnx_file(
    condmix: Run, captured_once: None, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del captured_once
    write = tflite_build.write_model

    def write_wrong(model: TfliteModel) -> bytes:
        _perturb(model)
        return write(model)

    monkeypatch.setattr(tflite_build, "write_model", write_wrong)
    (tmp_path / "small.tflite").write_bytes(b"old")
    ran = condmix("export", weights, *BOTH, "-o", tmp_path, "--overwrite")
    assert ran.code == 5
    left = {"small.onnx", "small.tflite", "small.rejected.tflite", "small.condmix.json", "small.reference.npz"}
    assert files_in(tmp_path) == left
    assert set(read_reference(tmp_path / "small.reference.npz").limits) == {"small.onnx", "small.rejected.tflite"}
    assert (tmp_path / "small.tflite").read_bytes() == b"old"
    record = json.loads((tmp_path / "small.condmix.json").read_text())
    assert record["passed"] is False
    assert [entry["passed"] for entry in record["artifacts"]] == [True, False]
    assert record["artifacts"][1]["artifact"]["path"] == "small.rejected.tflite"
    assert record["artifacts"][1]["second_runtime"]["said"] == "the file was rejected"
    assert f"{tmp_path}/small.onnx has passed and was written." in ran.err
    assert "the TFLite file does not compute what PyTorch computes:\n  - stage tflite, delegate on, 1 thread" in ran.err
    assert "first module beyond tolerance: " in ran.err
    assert "[failed] delegate on vs PyTorch float64" in ran.out
    inspected = condmix("inspect", tmp_path / "small.rejected.tflite")
    assert "verified: NO: this file was rejected" in inspected.out


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("rejected", ["onnx", "tflite", "both"])
def test_only_what_has_passed_gets_its_name(
    condmix: Run,
    weights: Path,
    tmp_path: Path,
    verified: Verification,
    tflite_verified: Verification,
    monkeypatch: pytest.MonkeyPatch,
    rejected: str,
) -> None:
    if rejected in ("onnx", "both"):
        monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: failing(verified))
    if rejected in ("tflite", "both"):
        monkeypatch.setattr(verified_file, "verify_tflite", lambda *_arguments, **_options: failing(tflite_verified))
    ran = condmix("export", weights, *BOTH, "-o", tmp_path / "a.onnx")
    assert ran.code == 5
    left = {
        "onnx": {"a.rejected.onnx", "a.tflite", "a.condmix.json", "a.reference.npz"},
        "tflite": {"a.onnx", "a.rejected.tflite", "a.condmix.json", "a.reference.npz"},
        "both": {"a.rejected.onnx", "a.rejected.tflite", "a.rejected.condmix.json", "a.rejected.reference.npz"},
    }
    assert files_in(tmp_path) == left[rejected]
    assert ran.err.count("does not compute what PyTorch computes:") == (2 if rejected == "both" else 1)


@pytest.mark.usefixtures("quick")
def test_every_name_of_both_formats_is_looked_at_before_any_work(condmix: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "a.rejected.tflite").write_bytes(b"old")
    ran = condmix("export", weights, *BOTH, "-o", tmp_path / "a.onnx")
    assert ran.code == 2
    assert f"  - {tmp_path / 'a.rejected.tflite'}\n" in ran.err
    assert files_in(tmp_path) == {"a.rejected.tflite"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("factor", "compatible"), [("1", True), ("1.1", False)])
def test_the_older_runtime_is_asked_when_it_is_there(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: str, compatible: bool
) -> None:
    newest = max(tflite_environment.NEWEST_PYTHON, sys.version_info[:2])
    monkeypatch.setattr(tflite_environment, "NEWEST_PYTHON", newest)
    lines = f"\n    def get_tensor(self, number):\n        return super().get_tensor(number) * {factor}\n"
    make_stand_in(default_site(), STAND_IN + lines)
    ran = condmix("export", weights, "--format", "tflite", "-o", tmp_path)
    # LiteRT is right: the file is written all the same.
    assert ran.code == 0
    assert files_in(tmp_path) == {"small.tflite", "small.condmix.json", "small.reference.npz"}
    (entry,) = json.loads((tmp_path / "small.condmix.json").read_text())["artifacts"]
    assert entry["second_runtime"]["compatible"] is compatible
    assert entry["second_runtime"]["version"] == "2.14.0"
    wanted = "compatible: against LiteRT" if compatible else "INCOMPATIBLE, do not run this file there: against LiteRT"
    assert f" older    tflite-runtime 2.14.0: {wanted} max|d| " in ran.out


@pytest.mark.usefixtures("quick")
def test_without_litert_it_is_code_8_and_nothing_is_written(
    condmix: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    ran = condmix("export", weights, *BOTH, "-o", tmp_path)
    assert ran.code == 8
    assert 'pip install "condmix[litert]"' in ran.err
    assert files_in(tmp_path) == set()


def test_the_written_file_takes_images_in_its_layout(
    quick: None, condmix: Run, weights: Path, tmp_path: Path, verified: Verification
) -> None:
    del quick, verified
    assert condmix("export", weights, "--format", "tflite", "-o", tmp_path, "-q").code == 0
    session = LiteRtBackend().open(tmp_path / "small.tflite", threads=1)
    (logits,) = session.run({"input": np.zeros((1, 32, 32, 1), np.float32)}).values()
    assert logits.shape == (1, 10)
