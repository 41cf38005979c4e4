"""New nodes stand in front of their reader, under names that nobody has."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.sizes.edit import insert_before
from condmix.exporters.sizes.twins import align
from tests.exporters.sizes.sized import SIZES, graph, node


def test_names_are_new_even_where_ours_were_there_before() -> None:
    models = [
        ir.from_proto(
            graph([node("Relu", ["x"], ["y/size_Relu_0"]), node("Add", ["y/size_Relu_0", "x"])], height, width)
        )
        for height, width in SIZES
    ]
    site = align(models, SIZES).sites[-1]
    builder = NodeBuilder("")
    source = site.node.inputs[0]
    builder.one("Shape", [source], (4,), data_type=ir.DataType.INT64)
    builder.ints((1, 2), "numbers")
    insert_before(site, builder)
    assert [one.name for one in models[0].graph] == ["y/size_Relu_0", "y/sizes_Shape_0", "y"]
    assert list(models[0].graph.initializers) == ["y/sizes_0"]
    assert [one.name for one in models[1].graph] == ["y/size_Relu_0", "y"]
