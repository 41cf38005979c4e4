"""Lengths are explained by the nearest axis, the same one counted from the back, a share, or a product."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.sizes.terms import Term, TermWriter, explain
from condmix.exporters.sizes.twins import Site, align
from tests.exporters.sizes.sized import SIZES, graph, node


def draw(height: int, width: int) -> onnx.ModelProto:
    pool = node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2])
    return graph([pool, node("Relu", ["p"], ["r"]), node("Reshape", ["r", "to"])], height, width, to=[4, -1])


@pytest.fixture
def site() -> Site:
    """The Reshape at the end."""
    return align([ir.from_proto(draw(*sides)) for sides in SIZES], SIZES).sites[-1]


def told(term: Term | None) -> tuple[list[tuple[str | None, int]], int, int]:
    assert term is not None
    return [(value.name, axis) for value, axis in term.axes], term.numerator, term.denominator


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([7, 7, 7], ([], 7, 1)),
        ([height for height, _ in SIZES], ([("x", 2)], 1, 1)),
        ([width // 2 for _, width in SIZES], ([("r", 3)], 1, 1)),
        ([3 * height for height, _ in SIZES], ([("x", 2)], 3, 1)),
        ([width // 4 for _, width in SIZES], ([("x", 3)], 1, 4)),
        ([height * width for height, width in SIZES], ([("x", 2), ("x", 3)], 1, 1)),
        ([9 * (height // 2) * (width // 2) for height, width in SIZES], ([("r", 2), ("r", 3)], 9, 1)),
    ],
)
def test_a_length_has_an_expression(site: Site, lengths: list[int], expected: object) -> None:
    assert told(explain(lengths, site, ())) == expected


def test_the_same_axis_is_taken_before_one_that_is_as_long() -> None:
    sizes = ((12, 12), (14, 14), (20, 20))
    last = align([ir.from_proto(draw(*sides)) for sides in sizes], sizes).sites[-1]
    lengths = [side // 2 for side, _ in sizes]
    assert told(explain(lengths, last, (), from_end=1)) == ([("r", 3)], 1, 1)
    assert told(explain(lengths, last, (), from_end=2)) == ([("r", 2)], 1, 1)


def test_what_is_nothing_of_the_kind_has_none(site: Site) -> None:
    assert explain([5, 11, 6], site, ()) is None
    assert explain(["batch", "batch", "batch"], site, ()) is None


def test_neighbours_are_written_together_and_integers_are_asked_for_their_shape(site: Site) -> None:
    source = site.node.inputs[0]
    assert source is not None
    builder = NodeBuilder("here")
    own = [Term(axes=((source, axis),)) for axis in (2, 3)]
    TermWriter(builder).vector([0, 4, *own, Term(axes=((source, 2), (source, 3)), numerator=2, denominator=4)], "to")
    assert [one.op_type for one in builder.nodes] == ["Shape", "Shape", "Shape", "Mul", "Mul", "Div", "Concat"]
    assert [constant.const_value.numpy().tolist() for constant in builder.constants if constant.const_value] == [
        [0, 4],
        [2],
        [4],
    ]
    integers = ir.Value(name="q")
    real = ir.node("DequantizeLinear", [integers, ir.Value(name="s")]).outputs[0]
    writer = TermWriter(NodeBuilder("here"))
    writer.vector([Term(axes=((real, 2),))], "to")
    assert writer.builder.nodes[0].inputs[0] is integers
