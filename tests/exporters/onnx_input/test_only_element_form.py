"""The only element of an axis is picked by a Reshape; one of several is not."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.onnx_input.only_element_form import OnlyElementForm
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.graphs import operators, run
from tests.exporters.sketch import Sketch


@pytest.mark.parametrize("index", [0, -1, [0]])
@pytest.mark.parametrize(("axis", "is_only"), [(0, True), (-1, True), (1, False)])
def test_gather(index: object, axis: int, is_only: bool) -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    s = Sketch()
    s.input("x", x.shape)
    s.node("Gather", ["x", s.constant("index", np.asarray(index, dtype=np.int64))], "picked", axis=axis)
    s.node("Relu", ["picked"], "y")
    model = s.model("y")
    before = run(model, {"x": x})["y"]
    run_rules(model, [OnlyElementForm()])
    assert ("Reshape" in operators(model)) is is_only
    np.testing.assert_array_equal(run(model, {"x": x})["y"], before)
