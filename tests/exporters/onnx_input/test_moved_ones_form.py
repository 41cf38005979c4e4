"""A Transpose whose axes of one element are then placed elsewhere is one Transpose."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.onnx_input.moved_ones_form import MovedOnesForm
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.graphs import run
from tests.exporters.sketch import Sketch


@pytest.mark.parametrize(
    ("shape", "perm", "target", "expected"),
    [
        ((1, 8, 5, 4), (2, 3, 0, 1), (1, 5, 4, 8), (0, 2, 3, 1)),
        ((1, 8, 5, 4), (0, 2, 3, 1), (5, 4, 1, 8), (2, 3, 0, 1)),
        ((1, 8, 1, 4), (3, 0, 1, 2), (1, 4, 1, 8), (0, 3, 2, 1)),
        ((1, 8, 5, 4), (2, 3, 0, 1), (1, 5, 32, 1), None),
        ((1, 8, 5, 4), (2, 3, 0, 1), (5, 4, 8), None),
        ((1, 8, 5, 5), (0, 2, 3, 1), (1, 8, 5, 5), None),
    ],
)
def test_reshape_behind_transpose(
    shape: tuple[int, ...], perm: tuple[int, ...], target: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    s = Sketch()
    s.input("x", shape)
    s.node("Transpose", ["x"], "turned", perm=list(perm))
    s.node("Reshape", ["turned", s.constant("target", list(target))], "reshaped")
    s.node("Relu", ["reshaped"], "y")
    model = s.model("y")
    before = run(model, {"x": x})["y"]
    run_rules(model, [MovedOnesForm()])
    nodes = list(model.graph)
    assert (nodes[-2].op_type == "Transpose") is (expected is not None)
    if expected is not None:
        assert tuple(nodes[-2].attributes["perm"].as_ints()) == expected
    np.testing.assert_array_equal(run(model, {"x": x})["y"], before)
