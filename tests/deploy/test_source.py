"""One door for weights and for ONNX files; what a file of somebody else does not say is assumed and told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.input_size import RequestedSize
from condmix.deploy.loading import Loading
from condmix.deploy.source import open_source
from condmix.exporters.verify.torch_oracle import TorchOracle
from condmix.models.network import TorchNetwork
from tests.deploy.conftest import Run
from tests.exporters.onnx_input.sketches import batched_groups, paddle_style, saved


def silent(_stage: str) -> None:
    """Nobody is watching."""


def with_metadata(model: onnx.ModelProto, **entries: str) -> onnx.ModelProto:
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    return model


def test_weights_are_run_by_pytorch(weights: Path, graph_given: None) -> None:
    del graph_given
    source = open_source(Loading(model=weights), silent)
    assert isinstance(source.network, TorchNetwork)
    assert isinstance(source.oracle, TorchOracle)
    assert (source.oracle.name, source.network.yardstick) == ("PyTorch", "PyTorch")


def test_an_onnx_file_is_its_own_yardstick(tmp_path: Path) -> None:
    stages: list[str] = []
    source = open_source(Loading(model=saved(batched_groups(2), tmp_path, "theirs.onnx")), stages.append)
    assert stages == ["read", "upgrade", "simplify", "take the batch out"]
    assert source.network.architecture == "onnx:theirs"
    assert source.oracle.name == source.network.yardstick == "the original file"
    assert source.network.notes[-1].startswith("the file does not say its preprocessing: assumed mean (0.485")
    assert source.network.class_names is None


def test_a_file_of_ours_says_its_preprocessing_and_classes(tmp_path: Path) -> None:
    said = {"mean": [1.0, 2.0, 3.0], "std": [1.0, 1.0, 1.0]}
    model = with_metadata(batched_groups(1), preprocessing=json.dumps(said), class_names='["a", "b"]')
    network = open_source(Loading(model=saved(model, tmp_path)), silent).network
    assert network.preprocessing.mean == (1.0, 2.0, 3.0)
    assert network.class_names == ("a", "b")
    assert network.notes == ()


@pytest.mark.parametrize(
    "text", ["{", "3", '{"mean": 3}', '{"mean": [1.0], "std": [1.0]}', '{"surprise": 1}', "[" * 5000]
)
def test_metadata_that_are_no_preprocessing_are_passed_over(tmp_path: Path, text: str) -> None:
    model = with_metadata(batched_groups(1), preprocessing=text, class_names=text)
    network = open_source(Loading(model=saved(model, tmp_path)), silent).network
    assert "does not say its preprocessing" in network.notes[-1]
    assert network.class_names is None


def test_flags_about_weights_are_refused_all_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        Loading(model=Path("a.onnx"), architecture="mixnet_s", allow_pickle=True)
    assert [problem.split()[0] for problem in caught.value.problems] == ["--arch", "--allow-pickle"]


def test_an_input_size_is_for_files_that_leave_it_open(tmp_path: Path) -> None:
    model = paddle_style()
    for axis, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    loading = Loading(model=saved(model, tmp_path), input_size=RequestedSize(channels=None, height=20, width=24))
    assert open_source(loading, silent).network.input_size == (3, 20, 24)


def test_both_formats_from_an_onnx_file(condmix: Run, tmp_path: Path) -> None:
    path = saved(batched_groups(2), tmp_path, "theirs.onnx")
    before = path.read_bytes()
    ran = condmix("export", path, "--format", "onnx,tflite", "-q")
    assert ran.code == 0, ran.err
    assert "final vs the original file float64" in ran.out
    assert "the file is for 2 images at a time: the batch was taken out" in ran.out
    assert path.read_bytes() == before
    names = {item.name for item in tmp_path.iterdir()}
    assert names == {
        "theirs.onnx", "theirs_condmix.onnx", "theirs.tflite", "theirs.condmix.json", "theirs.reference.npz"
    }  # fmt: skip
    record = json.loads((tmp_path / "theirs.condmix.json").read_text())
    assert {item["verification"]["yardstick"] for item in record["artifacts"]} == {"the original file"}
    shown = condmix("inspect", tmp_path / "theirs_condmix.onnx")
    assert "verified: yes" in shown.out


def test_int8_from_an_onnx_file(condmix: Run, tmp_path: Path) -> None:
    path = saved(batched_groups(1), tmp_path, "theirs.onnx")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).standard_normal((12, 3, 12, 10)).astype(np.float32))
    ran = condmix("export", path, "--int8", "--calib", tmp_path / "images.npy", "--improve", "none", "-q")
    assert ran.code == 0, ran.err
    assert (tmp_path / "theirs_int8.onnx").is_file()
    again = condmix("export", tmp_path / "theirs_int8.onnx", "-q", "--json")
    failure = json.loads(again.out)
    assert (again.code, failure["exit_code"], failure["error"]["codes"]) == (3, 3, ["ONNX_QUANTISED"])
    assert "it is an int8 file already" in again.err


def test_the_source_is_never_written_over(condmix: Run, tmp_path: Path) -> None:
    path = saved(batched_groups(1), tmp_path, "theirs.onnx")
    ran = condmix("export", path, "-o", path, "-f")
    assert ran.code == 2
    assert "choose another name" in ran.err


@pytest.mark.parametrize("content", [b"", b"\x08\x09", b"nothing of the kind"])
def test_what_is_no_onnx_file_is_code_3(condmix: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    ran = condmix("export", tmp_path / "a.onnx")
    assert ran.code == 3
    assert "[ONNX_DAMAGED]" in ran.err
    assert [item.name for item in tmp_path.iterdir()] == ["a.onnx"]


def test_inspect_explains_every_convolution(condmix: Run, tmp_path: Path) -> None:
    path = saved(batched_groups(2), tmp_path)
    ran = condmix("inspect", path, "-q", "--json")
    explanation = json.loads(ran.out)["explanation"]
    assert explanation["exportable"] is True
    (fact,) = explanation["convolutions"]
    assert fact["taken_for"] == "CondConv"
    assert fact["what"] == "3x3 3 -> 6, 3 experts, routing 'routing'"
    assert "linear in 'routing' (3 numbers): off by at most" in fact["why"]
    assert "convolutions: CondConv x1" in condmix("inspect", path, "-q").out
    mixed = condmix("inspect", saved(paddle_style(), tmp_path), "-q", "-v").out
    assert "convolutions: static x1, MixConv x1" in mixed
    assert "3x3 on 6 | 5x5 on 6" in mixed


def test_inspect_says_what_stands_in_the_way(condmix: Run, tmp_path: Path) -> None:
    model = batched_groups(1)
    model.graph.node[-1].domain = "their.own"
    model.opset_import.add(domain="their.own", version=1)
    ran = condmix("inspect", saved(model, tmp_path), "-q")
    assert ran.code == 0
    assert "cannot be exported: it has operators that ONNX does not define (their.own.Gemm x1)" in ran.out
    assert "[ONNX_UNKNOWN_OPERATOR]" in ran.out
