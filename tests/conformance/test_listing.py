"""A listing shows every node with its operator and shapes, and a difference between two listings shows."""

from __future__ import annotations

import onnx

from tests.conformance.listing import differences, listing


def model(operator: str) -> onnx.ModelProto:
    graph = onnx.parser.parse_graph(
        f"""g (float[batch, 4, 3] x) => (float y)
        <int64[1] two = {{2}}>
        {{
            h = {operator} (x)
            a, b = Split <axis = 1, num_outputs = 2> (h)
            c = NonZero (a)
            y = ReduceMax <keepdims = 0> (b)
        }}"""
    )
    for node, name in zip(graph.node, ("stem/act", "split", "places", "largest"), strict=True):
        node.name = name
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])


def test_a_line_has_the_name_the_operator_and_the_shape_of_every_output() -> None:
    assert listing(model("Relu")).splitlines() == [
        "stem/act  Relu       [batch, 4, 3]",
        "split     Split      [batch, 2, 3] [batch, 2, 3]",
        "places    NonZero    [3, ?]",
        "largest   ReduceMax  []",
    ]


def test_another_operator_a_lost_and_a_moved_line_are_differences() -> None:
    text = listing(model("Relu"))
    assert differences(text, text) == []
    assert differences(listing(model("Abs")), text) == [
        "-stem/act  Relu       [batch, 4, 3]",
        "+stem/act  Abs        [batch, 4, 3]",
    ]
    first, second, *rest = text.splitlines(keepends=True)
    assert differences("".join([first, *rest]), text) == [f"-{second.rstrip()}"]
    assert differences("".join([second, first, *rest]), text) != []
