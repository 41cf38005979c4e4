import hashlib
from pathlib import Path

import onnx
import pytest
from onnx import helper

from condmix.runtime.bench.engines import missing_engine
from condmix.runtime.bench.identity import engine_of, identify, precision_of
from condmix.runtime.bench.memory import read_memory
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import ModelUnreadableError
from tests.runtime.tflite_files import DenseNet


def test_a_file_is_known_by_its_content(tmp_path: Path, linear_bytes: bytes):
    (tmp_path / "a.onnx").write_bytes(linear_bytes)
    (tmp_path / "b.bin").write_bytes(DenseNet().to_tflite())
    subjects = [
        BenchSubject(name="a", file=tmp_path / "a.onnx", engine="onnxruntime"),
        BenchSubject(name="b", file=tmp_path / "b.bin", engine=engine_of(tmp_path / "b.bin")),
    ]
    found = identify(subjects)
    assert found["a"].sha256 == hashlib.sha256(linear_bytes).hexdigest()
    assert (found["a"].size_bytes, found["a"].holds_integers) == (len(linear_bytes), False)
    assert (str(found["b"].format), found["b"].holds_integers) == ("tflite", None)


@pytest.mark.parametrize(("operator", "expected"), [("QuantizeLinear", True), ("DequantizeLinear", False)])
def test_an_onnx_file_that_rounds_is_int8(tmp_path: Path, operator: str, expected: bool):
    (kind, other) = (onnx.TensorProto.FLOAT, onnx.TensorProto.INT8)
    source, target = (kind, other) if expected else (other, kind)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "scale", "zero"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", source, [2])],
        [helper.make_tensor_value_info("y", target, [2])],
        [helper.make_tensor("scale", kind, [], [0.5]), helper.make_tensor("zero", other, [], [0])],
    )
    path = tmp_path / "q.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())
    (found,) = identify([BenchSubject(name="q", file=path, engine="onnxruntime")]).values()
    assert found.holds_integers is expected
    assert precision_of(found.holds_integers) == ("int8" if expected else "float32")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linear_bytes: bytes):
    path = tmp_path / "a.onnx"
    path.write_bytes(linear_bytes)

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ModelUnreadableError, match=r"Permission denied\. Check the permissions of the file"):
        identify([BenchSubject(name="a", file=path, engine="onnxruntime")])


def test_a_missing_engine_has_its_line(monkeypatch: pytest.MonkeyPatch):
    assert missing_engine("onnxruntime") is None
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    text = missing_engine("litert")
    assert "there is no package 'ai_edge_litert' for" in text
    assert 'pip install "condmix[litert]"' in text


def test_memory_is_read_where_the_system_tells(tmp_path: Path):
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n")
    memory = read_memory(status)
    assert (memory.resident_bytes, memory.peak_bytes) == (1 << 20, 2 << 20)
    nothing = read_memory(tmp_path / "none")
    assert (nothing.resident_bytes, nothing.peak_bytes) == (None, None)
