"""Reading ONNX files into plain data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.runtime.audit.onnx_file import OnnxConstant, number_nodes, read_onnx
from condmix.runtime.errors import EngineMissingError, ModelUnreadableError
from tests.runtime.audit.onnx_files import float_net, write_float


def save(path: Path, nodes: list, constants: dict[str, np.ndarray], **changes: object) -> Path:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path, **changes)
    return path


def test_nodes_constants_and_outputs(tmp_path: Path):
    graph = read_onnx(write_float(tmp_path))
    stem = graph.nodes[0]
    assert (stem.op_type, stem.name, stem.inputs) == ("Conv", "/stem/Conv", ("image", "stem.weight", "stem.bias"))
    assert graph.nodes[-1].attributes == {"transB": 1}
    assert graph.constants["stem.weight"].shape == (12, 3, 3, 3)
    assert graph.bytes_by_dtype() == {"float": 4 * (12 * 27 + 12 + 12 * 9 + 12 + 20 * 12 + 20 + 200 + 10)}
    assert graph.outputs == ("logits",)
    assert graph.writer["stem"] == 0


def test_the_operator_carries_its_domain_unless_it_is_the_standard_one(tmp_path: Path):
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Gelu", ["a"], ["y"], domain="com.microsoft")]
    assert [node.operator for node in read_onnx(save(tmp_path / "a.onnx", nodes, {})).nodes] == [
        "Relu",
        "com.microsoft.Gelu",
    ]


def test_nodes_and_constants_of_inner_graphs_are_there(tmp_path: Path):
    kept = numpy_helper.from_array(np.ones(2, np.float32), "kept")
    info = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2])
    branch = helper.make_graph([helper.make_node("Add", ["x", "kept"], ["inner"])], "b", [], [info], [kept])
    value = numpy_helper.from_array(np.array(True), "value")
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=value),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
    ]
    graph = read_onnx(save(tmp_path / "a.onnx", nodes, {}))
    assert [node.op_type for node in graph.nodes] == ["Constant", "If", "Add", "Add"]
    assert [node.holds_graphs for node in graph.nodes] == [False, True, False, False]
    assert set(graph.constants) == {"yes", "kept"}


def test_equal_small_constants_are_known_as_equal(tmp_path: Path):
    constants = {
        "one": np.array(0.5, np.float32),
        "same": np.array(0.5, np.float32),
        "other": np.array(0.25, np.float32),
        "vector": np.array([0.5], np.float32),
        "large": np.zeros(1 << 15, np.float32),
    }
    found = read_onnx(save(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])], constants)).constants
    assert found["one"].content == found["same"].content
    assert len({found[name].content for name in ("one", "other", "vector")}) == 3
    assert found["large"].content is None


@pytest.mark.parametrize(
    ("dtype", "shape", "size_bytes"),
    [("float", (3, 5), 60), ("int8", (3, 5), 15), ("uint4", (3, 5), 8), ("float16", (3,), 6), ("int64", (), 8)],
)
def test_bytes_of_a_constant(dtype: str, shape: tuple, size_bytes: int):
    assert OnnxConstant(dtype=dtype, shape=shape, content=None).size_bytes == size_bytes


def test_weights_in_another_file_are_measured_without_being_read(tmp_path: Path):
    constants = {"w": np.ones(4096, np.float32)}
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save(tmp_path / "a.onnx", [node], constants, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    constant = read_onnx(path).constants["w"]
    assert (constant.size_bytes, constant.content) == (16384, None)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("['', 'blocks', 'blocks.0.act', 'silu_1']", "blocks.0.act"),
        ("['silu_1']", ""),
        ("no list [", ""),
    ],
)
def test_the_module_that_pytorch_noted(tmp_path: Path, text: str, scope: str):
    node = helper.make_node("Relu", ["x"], ["y"])
    node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=text)
    assert read_onnx(save(tmp_path / "a.onnx", [node], {})).nodes[0].scope == scope


def test_numbered_nodes_are_named_after_their_place(tmp_path: Path):
    graph = number_nodes(write_float(tmp_path), tmp_path / "numbered.onnx", weights_folder=tmp_path)
    numbered = read_onnx(tmp_path / "numbered.onnx")
    assert graph.nodes[0].name == "/stem/Conv"
    assert [node.name for node in numbered.nodes] == [str(place) for place in range(len(graph.nodes))]
    assert [node.inputs for node in numbered.nodes] == [node.inputs for node in graph.nodes]


def test_numbering_takes_weights_from_another_folder_along(tmp_path: Path):
    weight = np.arange(4096, dtype=np.float32)
    model = onnx.load(write_float(tmp_path))
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    (tmp_path / "there").mkdir()
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save(model, tmp_path / "there" / "a.onnx", **options)
    (tmp_path / "there" / "a.onnx").rename(tmp_path / "a.onnx")
    number_nodes(tmp_path / "a.onnx", tmp_path / "numbered.onnx", weights_folder=tmp_path / "there")
    found = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "numbered.onnx").graph.initializer
    }
    np.testing.assert_array_equal(found["w"], weight)
    (tmp_path / "there" / "w.bin").unlink()
    with pytest.raises(ModelUnreadableError, match="with the files beside it that hold its weights"):
        number_nodes(tmp_path / "a.onnx", tmp_path / "again.onnx", weights_folder=tmp_path / "there")


def test_what_is_no_onnx_file(tmp_path: Path):
    (tmp_path / "a.onnx").write_bytes(b"hello, this is text")
    with pytest.raises(ModelUnreadableError, match="cannot be opened"):
        read_onnx(tmp_path / "a.onnx")


def test_the_package_is_named_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(EngineMissingError, match=r"the engine 'onnx' cannot be used.*condmix\[export\]"):
        read_onnx(tmp_path / "a.onnx")


def test_numbers_that_do_not_fill_their_shape(tmp_path: Path) -> None:
    model = onnx.load_from_string(float_net())
    model.graph.initializer[0].dims[0] += 7
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelUnreadableError, match="cannot reshape array"):
        read_onnx(path)
