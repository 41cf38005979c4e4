"""Running a part of a graph on values of one's own."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.evaluate import PartialGraph
from tests.exporters.graphs import produced_by
from tests.exporters.sketch import Sketch


def model_with_two_targets() -> ir.Model:
    """image -> mean -> r; kernel = r @ bank, bias = r @ rows; the image feeds nothing else."""
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("image", (1, 3, 4, 4))
    sketch.node("ReduceMean", ["image", sketch.constant("axes", [2, 3])], "mean", keepdims=0)
    sketch.node("Sigmoid", ["mean"], "r")
    bank = generator.standard_normal((3, 8)).astype(np.float32)
    rows = generator.standard_normal((3, 2)).astype(np.float32)
    sketch.node("MatMul", ["r", sketch.constant("bank", bank)], "flat")
    sketch.node("Reshape", ["flat", sketch.constant("shape", [2, 4])], "kernel")
    sketch.node("MatMul", ["r", sketch.constant("rows", rows)], "bias")
    sketch.node("MatMul", ["bias", "kernel"], "y")
    return sketch.model("y")


def values(model: ir.Model, *names: str) -> list[ir.Value]:
    return [produced_by(model, name).outputs[0] for name in names]


def test_the_targets_are_computed_from_the_cut_alone() -> None:
    model = model_with_two_targets()
    (cut,) = values(model, "r")
    part = PartialGraph(model, cut, values(model, "kernel", "bias"))
    vector = np.array([0.5, -1.0, 2.0])
    kernel, bias = part(vector)
    assert kernel.dtype == bias.dtype == np.float64
    assert part.cut_shape == (1, 3)
    stored = {name: value.const_value.numpy() for name, value in model.graph.initializers.items() if value.const_value}
    np.testing.assert_allclose(kernel, (vector @ stored["bank"].astype(np.float64)).reshape(2, 4), atol=1e-6)
    np.testing.assert_allclose(bias, (vector @ stored["rows"].astype(np.float64))[None], atol=1e-6)


def test_what_lies_before_the_cut_is_not_run() -> None:
    model = model_with_two_targets()
    (cut, kernel) = values(model, "r", "kernel")
    # The cut stands behind the sigmoid: values that no sigmoid gives pass through.
    assert PartialGraph(model, cut, [kernel])(np.full(3, 100.0))[0].max() > 100


def test_stored_numbers_are_counted_once_and_of_this_part_only() -> None:
    model = model_with_two_targets()
    (cut, kernel, bias) = values(model, "r", "kernel", "bias")
    both = PartialGraph(model, cut, [kernel, bias])
    assert both.constant_elements == 3 * 8 + 3 * 2 + 2
    assert PartialGraph(model, cut, [bias]).constant_elements == 3 * 2


def test_the_graph_itself_is_left_alone() -> None:
    model = model_with_two_targets()
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    (cut, kernel) = values(model, "r", "kernel")
    PartialGraph(model, cut, [kernel])(np.zeros(3))
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_several_cuts_take_a_vector_each_and_one_may_be_a_target() -> None:
    model = model_with_two_targets()
    kernel, bias, result = values(model, "kernel", "bias", "y")
    part = PartialGraph(model, [bias, kernel], [result, bias])
    rows, columns = np.array([0.5, -2.0]), np.arange(8.0)
    product, same = part(rows, columns)
    np.testing.assert_allclose(product, (rows @ columns.reshape(2, 4))[None], atol=1e-6)
    np.testing.assert_array_equal(same, rows[None])
