"""What goes into a file: readable unique names, metadata, no trace of how it was made, and always the same bytes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.errors import GraphError, NotExportableError
from condmix.exporters.finish import IR_VERSION, finish
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.lower.driver import lower
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import assert_same, run, with_batch
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

METADATA = {"architecture": "tiny", "condmix_version": "9.9", "condmix_stage": "final"}


def two_in_one_module() -> Sketch:
    """Two CondConvs and a MixConv of module `blocks.0`, a ReLU of the network itself."""
    sketch = Sketch()
    sketch.input("x", (1, 6, 7, 5))
    sketch.input("routing", (1, 3))
    case = condconv_case(in_channels=6, out_channels=6)
    case.add_to(sketch, "x", "routing", "a", module="blocks.0")
    case.add_to(sketch, "a", "routing", "b", module="blocks.0")
    mixconv_case(in_channels=(2, 4), kernels=(3, 5), input_size=(7, 5)).add_to(sketch, "b", "c", module="blocks.0")
    sketch.node("Relu", ["c"], "y")
    return sketch


def final(form: str = "matmul", opset: int = 18) -> onnx.ModelProto:
    model = two_in_one_module().model("y")
    lower(model, with_batch(model, None), condconv=form, mixconv="auto")
    return finish(model, opset, METADATA)


def feeds() -> dict[str, np.ndarray]:
    case = condconv_case(in_channels=6, out_channels=6)
    return case.one(0)


@pytest.mark.parametrize("form", ["matmul", "experts"])
def test_every_node_has_a_name_of_its_own_that_starts_with_its_module(form: str) -> None:
    proto = final(form)
    names = [node.name for node in proto.graph.node]
    assert len(set(names)) == len(names)
    assert all(name.startswith("blocks.0/") for name in names[:-1])
    assert names[-1] == "Relu"


def test_roles_are_kept_and_numbered_from_zero() -> None:
    names = [node.name for node in final("experts").graph.node]
    assert "blocks.0/conv_expert_0" in names
    assert {"blocks.0/routing_of_expert_0", "blocks.0/routing_of_expert_1"} <= set(names)


def test_plain_operators_are_numbered_where_a_module_has_several() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2))
    sketch.node("Relu", ["x"], "a", module="m")
    sketch.node("Relu", ["a"], "b", module="m")
    sketch.node("Neg", ["b"], "c", module="m")
    sketch.node("Neg", ["c"], "y")
    proto = finish(sketch.model("y"), 18, {})
    assert [node.name for node in proto.graph.node] == ["m/Relu_0", "m/Relu_1", "m/Neg", "Neg"]


def test_the_module_is_all_that_nodes_carry() -> None:
    model = two_in_one_module().model("y")
    for node in model.graph:
        node.metadata_props["pkg.torch.onnx.stack_trace"] = "File /somewhere/private.py"
        node.doc_string = "how it came about"
    proto = finish(model, 18, METADATA)
    carried = [{prop.key: prop.value for prop in node.metadata_props} for node in proto.graph.node]
    assert carried == [{MODULE_KEY: "blocks.0"}] * 3 + [{}]
    assert b"private" not in proto.SerializeToString()
    assert b"how it came about" not in proto.SerializeToString()


def test_metadata_and_versions() -> None:
    proto = final()
    assert {prop.key: prop.value for prop in proto.metadata_props} == METADATA
    assert (proto.producer_name, proto.producer_version, proto.graph.name) == ("condmix", "9.9", "tiny")
    assert proto.ir_version == IR_VERSION
    bare = finish(two_in_one_module().model("y"), 18, {})
    assert (bare.graph.name, bare.producer_version) == ("condmix", "")


def test_a_final_file_has_no_domain_of_ours() -> None:
    proto = final()
    assert [(item.domain, item.version) for item in proto.opset_import] == [("", 18)]
    assert len(proto.functions) == 0
    assert {node.domain for node in proto.graph.node} == {""}


def test_a_named_file_brings_its_functions() -> None:
    proto = finish(two_in_one_module().model("y"), 18, METADATA)
    assert sorted(function.name for function in proto.functions) == ["CondConv", "MixConv2"]
    assert {item.domain for item in proto.opset_import} == {"", "condmix"}
    assert_same(run(proto, feeds())["y"], run(final(), feeds())["y"])


@pytest.mark.parametrize("opset", [17, 18, 21, 24])
def test_every_operator_set_gives_the_same_results(opset: int) -> None:
    proto = final("experts", opset)
    assert proto.opset_import[0].version == opset
    assert_same(run(final(), feeds())["y"], run(proto, feeds())["y"])
    assert all(any(prop.key == MODULE_KEY for prop in node.metadata_props) for node in proto.graph.node[:-1])


def test_the_same_network_gives_the_same_bytes() -> None:
    first, second = (final().SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_an_invalid_graph_is_an_error() -> None:
    model = two_in_one_module().model("y")
    model.graph.outputs[0].shape = ir.Shape((1, 6, 7, 99))
    with pytest.raises(GraphError) as caught:
        finish(model, 18, METADATA)
    assert str(caught.value).startswith("the written graph is not valid ONNX: ")


def test_an_operator_set_without_an_equal_is_refused() -> None:
    model = two_in_one_module().model("y")
    lower(model, with_batch(model, None), condconv="matmul", mixconv="auto")
    with pytest.raises(NotExportableError, match="opset 16 is too old for this graph"):
        finish(model, 16, METADATA)
