"""A Gather of everything in order is a Reshape; any other Gather stays."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant_ints
from condmix.exporters.rewrite.gather_form import GatherForm
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import node_of, operators, rewrite, run
from tests.exporters.sketch import Sketch

RULE = GatherForm()


def gather(shape: tuple[int, ...], indices: np.ndarray, *, axis: int = 0) -> ir.Model:
    sketch = Sketch()
    sketch.input("x", shape)
    sketch.node("Gather", ["x", sketch.constant("indices", indices)], "y", module="block", axis=axis)
    return sketch.model("y")


@exact_rule
@given(target=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_all_elements_in_order_become_a_reshape(target: list[int]) -> None:
    count = int(np.prod(target))
    model = gather((count,), np.arange(count).reshape(target))
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path) == ("gather_form", "block")
    assert operators(model) == {"Reshape": 1}
    assert constant_ints(node_of(model, "Reshape").inputs[1]) == tuple(target)
    x = np.random.default_rng(0).standard_normal(count).astype(np.float32)
    np.testing.assert_array_equal(run(model, {"x": x})["y"], x.reshape(target))


@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [
        ((4,), [[0, 1], [3, 2]], 0),
        ((4,), [0, 1, 2], 0),
        ((4,), [0, 1, 2, 3, 3], 0),
        ((2, 4), [0, 1], 0),
        ((2, 4), [0, 1, 2, 3], 1),
    ],
)
def test_other_gathers_stay(shape: tuple[int, ...], indices: list[int], axis: int) -> None:
    model = gather(shape, np.asarray(indices), axis=axis)
    assert rewrite(model, RULE) == ()
    assert operators(model) == {"Gather": 1}


def test_computed_indices_stay() -> None:
    sketch = Sketch()
    sketch.input("x", (4,))
    sketch.input("indices", (4,), element_type=onnx.TensorProto.INT64)
    sketch.node("Gather", ["x", "indices"], "y", axis=0)
    assert rewrite(sketch.model("y"), RULE) == ()


def test_integers_stay_integers() -> None:
    sketch = Sketch()
    sketch.input("x", (4,), element_type=onnx.TensorProto.INT64)
    sketch.node("Gather", ["x", sketch.constant("indices", np.arange(4).reshape(2, 2))], "picked", axis=0)
    sketch.node("Cast", ["picked"], "y", to=onnx.TensorProto.FLOAT)
    model = sketch.model("y")
    rewrite(model, RULE)
    np.testing.assert_array_equal(run(model, {"x": np.arange(4)})["y"], [[0, 1], [2, 3]])
