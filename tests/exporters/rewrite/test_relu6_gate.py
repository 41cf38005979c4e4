"""Every spelling of relu6(x + 3) / 6, alone and times x, becomes one operator; anything else stays."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.hard_swish_form import HardSwishForm
from condmix.exporters.rewrite.relu6_gate import Relu6Gate
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.sketch import Sketch

RULES = (Relu6Gate(), HardSwishForm())
X = np.linspace(-5, 5, 48, dtype=np.float32).reshape(1, 3, 4, 4)


def written(
    *, gate: str = "clip", sixth: str = "div", divided: str = "gate", moved: float = 3.0, high: float = 6.0
) -> ir.Model:
    """x * relu6(x + 3) / 6: how the clip and the division are written, and what is divided."""
    s = Sketch()
    s.input("x", (1, 3, 4, 4))
    s.node("Add", ["x", s.constant("three", moved)], "moved")
    if gate == "clip":
        s.node("Clip", ["moved", s.constant("low", 0.0), s.constant("high", high)], "clipped")
    else:
        s.node("Relu", ["moved"], "positive")
        s.node("Min", [s.constant("high", high), "positive"], "clipped")

    def by_six(name: str, output: str) -> str:
        if sixth == "div":
            return s.node("Div", [name, s.constant("six", 6.0)], output)
        return s.node("Mul", [s.constant("sixth", 1 / 6), name], output)

    if divided == "gate":
        s.node("Mul", ["x", by_six("clipped", "gate")], "y")
    elif divided == "product":
        by_six(s.node("Mul", ["clipped", "x"], "product"), "y")
    else:
        by_six("clipped", "y")
    return s.model("y")


@pytest.mark.parametrize("gate", ["clip", "min"])
@pytest.mark.parametrize("sixth", ["div", "mul"])
@pytest.mark.parametrize(
    ("divided", "operator"), [("gate", "HardSwish"), ("product", "HardSwish"), ("", "HardSigmoid")]
)
def test_every_spelling_is_one_operator(gate: str, sixth: str, divided: str, operator: str) -> None:
    model = written(gate=gate, sixth=sixth, divided=divided)
    before = run(model, {"x": X})["y"]
    run_rules(model, RULES)
    assert operators(model) == {operator: 1}
    assert_same(before, run(model, {"x": X})["y"])


@pytest.mark.parametrize("change", [{"moved": 2.5}, {"high": 5.0}])
@pytest.mark.parametrize("divided", ["gate", "product", ""])
def test_other_numbers_stay(change: dict[str, float], divided: str) -> None:
    model = written(divided=divided, **change)  # type: ignore[arg-type]
    before = operators(model)
    run_rules(model, RULES)
    assert operators(model) == before


def test_what_others_read_stays() -> None:
    s = Sketch()
    s.input("x", (1, 3, 4, 4))
    s.node("Add", ["x", s.constant("three", 3.0)], "moved")
    s.node("Clip", ["moved", s.constant("low", 0.0), s.constant("high", 6.0)], "clipped")
    s.node("Div", ["clipped", s.constant("six", 6.0)], "y")
    s.node("Add", ["moved", "clipped"], "z")
    model = s.model("y", "z")
    run_rules(model, RULES)
    assert "HardSigmoid" not in operators(model)
