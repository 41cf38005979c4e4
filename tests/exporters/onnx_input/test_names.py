"""Every operator of a given file has the best name that the file has for it."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.onnx_input.names import paths_of


def path_of(node_name: str, *, kind: str = "Relu", weight: str = "", metadata: dict[str, str] | None = None) -> str:
    inputs = ["x", weight] if weight else ["x"]
    node = helper.make_node(kind, inputs, ["y"], name=node_name)
    for key, value in (metadata or {}).items():
        node.metadata_props.add(key=key, value=value)
    stored = [helper.make_tensor(weight, TensorProto.FLOAT, [1], [1.0])] if weight else []
    graph = helper.make_graph([node], "g", [], [], stored)
    return paths_of(helper.make_model(graph))["y"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/stem/convolution/Conv", "stem.convolution"),
        ("/blocks/blocks.0/conv/Conv", "blocks.0.conv"),
        ("/blocks/blocks.0/blocks.0.1/conv_pw/Conv", "blocks.0.1.conv_pw"),
        ("/layer/layer.2/act/Mul_1", "layer.2.act"),
        ("/features/features.3/conv/conv.0/Conv", "features.3.conv.0"),
        ("model/block1a/dwconv/depthwise", "model/block1a/dwconv"),
        ("model/block1a/Relu;model/block1a/bn", "model/block1a/Relu;model/block1a"),
        ("/Reshape_3", ""),
        ("Conv_12", ""),
        ("n7", ""),
        ("node_Relu_4", ""),
        ("my_layer", "my_layer"),
        ("", ""),
    ],
)
def test_names_of_nodes(name: str, path: str) -> None:
    kind = "Conv" if "Conv_" in name else "Relu"
    assert path_of(name, kind=kind) == path


def test_a_weight_names_its_layer() -> None:
    assert path_of("/net/layer/Conv", kind="Conv", weight="blocks.2.conv.weight") == "blocks.2.conv"
    assert path_of("/net/layer/Conv", kind="Conv", weight="onnx::Conv_812") == "net.layer"


def test_metadata_go_before_all() -> None:
    scopes = "['', 'blocks', 'blocks.1', 'relu_1']"
    assert path_of("x/y", metadata={"pkg.torch.onnx.name_scopes": scopes}) == "blocks.1"
    assert path_of("x/y", metadata={MODULE_KEY: "head", "pkg.torch.onnx.name_scopes": scopes}) == "head"


@pytest.mark.parametrize("text", ["[", "__import__('os')", "3", "(" * 500, "[[]]"])
def test_metadata_that_are_no_list_are_passed_over(text: str) -> None:
    assert path_of("a/b", metadata={"pkg.torch.onnx.name_scopes": text}) == "a"
