"""A block holds the site and its neighbours, and computes in itself what it computes in the network."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.finish import finish
from condmix.exporters.named.functions import attach_functions
from condmix.exporters.tune.blocks import block_of
from condmix.exporters.tune.sites import find_sites
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import assert_same, operators
from tests.exporters.networks import INPUT_SIZE
from tests.exporters.sketch import Sketch


def values_of(model: ir.Model, names: list[str], image: np.ndarray) -> dict[str, np.ndarray]:
    """Values inside a graph, made its outputs."""
    copy = model.clone()
    there = {value.name: value for node in copy.graph for value in node.outputs}
    copy.graph.outputs.clear()
    copy.graph.outputs.extend(there[name] for name in names)
    session = OnnxRuntimeBackend().open(finish(copy, 18, {}, check=False).SerializeToString(), threads=1)
    return {name: np.asarray(array) for name, array in session.run({session.signature.inputs[0].name: image}).items()}


@pytest.mark.parametrize("place", range(4))
def test_a_block_computes_its_part_of_the_network(rewritten: ir.Model, place: int) -> None:
    block = block_of(rewritten, find_sites(rewritten.graph)[place])
    attach_functions(block)
    inputs = [str(value.name) for value in block.graph.inputs]
    (output,) = [str(value.name) for value in block.graph.outputs]
    image = np.random.default_rng(place).standard_normal((1, *INPUT_SIZE)).astype(np.float32)
    inner = [name for name in inputs if name != rewritten.graph.inputs[0].name]
    known = {**values_of(rewritten, [*inner, output], image), str(rewritten.graph.inputs[0].name): image}
    session = OnnxRuntimeBackend().open(ir.to_proto(block).SerializeToString(), threads=1)
    assert_same(known[output], session.run({name: known[name] for name in inputs})[output])


def test_what_lies_around_each_site(rewritten: ir.Model) -> None:
    blocks = [block_of(rewritten, site) for site in find_sites(rewritten.graph)]
    assert [dict(operators(block)) for block in blocks[:2]] == [
        {"Conv": 1, "Relu": 2, "CondConv": 1, "CondConvExpertBias": 1},
        {"CondConv": 1, "Relu": 1, "CondConvExpertBias": 1, "Conv": 1},
    ]
    for block in blocks[:2]:
        # The routing is fed: how it is computed does not depend on the form.
        assert (1, 3) in [tuple(value.shape or ()) for value in block.graph.inputs]


def test_a_residual_sum_ends_the_block_in_front_and_is_followed_behind() -> None:
    case = condconv_case(in_channels=4, out_channels=4, images=1)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    before = case.add_to(sketch, "x", "routing", "first", module="a")
    sketch.node("Add", ["x", before], "sum", module="add")
    case.add_to(sketch, "sum", "routing", "second", module="b")
    sketch.node("Add", ["sum", "second"], "y", module="add2")
    model = sketch.model("y")
    first, second = (block_of(model, site) for site in find_sites(model.graph))
    assert operators(first) == {"CondConv": 2, "Add": 1}
    assert operators(second) == {"CondConv": 1, "Add": 1}
    assert sorted(str(value.name) for value in second.graph.inputs) == ["routing", "sum"]


def test_the_network_is_left_as_it_is(rewritten: ir.Model) -> None:
    before = ir.to_proto(rewritten).SerializeToString()
    for site in find_sites(rewritten.graph):
        block_of(rewritten, site)
    assert ir.to_proto(rewritten).SerializeToString() == before
