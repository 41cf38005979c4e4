"""A gate of its own input is HardSwish; any other stays."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.hard_swish_form import HardSwishForm
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.sketch import Sketch


def gated(
    *, alpha: float = 1 / 6, beta: float = 0.5, of: str = "x", first: bool = True, read: bool = False
) -> ir.Model:
    s = Sketch()
    s.input("x", (1, 3, 4, 4))
    s.node("Relu", ["x"], "other")
    s.node("HardSigmoid", [of], "gate", alpha=alpha, beta=beta)
    s.node("Mul", ["gate", "x"] if first else ["x", "gate"], "y")
    if read:
        s.node("Add", ["y", "gate"], "z")
    return s.model("z" if read else "y")


def run(model: ir.Model) -> np.ndarray:
    x = np.linspace(-5, 5, 48, dtype=np.float32).reshape(1, 3, 4, 4)
    outputs = OnnxRuntimeBackend().open(ir.to_proto(model).SerializeToString(), threads=1).run({"x": x})
    return next(iter(outputs.values()))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("read", [True, False])
def test_a_gate_of_its_own_input(first: bool, read: bool) -> None:
    model = gated(first=first, read=read)
    before = run(model)
    run_rules(model, [HardSwishForm()])
    kinds = [node.op_type for node in model.graph]
    assert ("HardSwish" in kinds, "HardSigmoid" in kinds) == (True, read)
    np.testing.assert_allclose(run(model), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [{"alpha": 0.2}, {"beta": 0.4}, {"of": "other"}])
def test_another_gate_stays(change: dict[str, object]) -> None:
    model = gated(**change)  # type: ignore[arg-type]
    run_rules(model, [HardSwishForm()])
    assert "HardSwish" not in [node.op_type for node in model.graph]
