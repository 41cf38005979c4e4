"""Parts picked from a sequence are a Split; what is picked by a computed number, or read whole, stays."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from condmix.exporters.onnx_input.split_sequence_form import SplitSequenceForm
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.graphs import operators, run
from tests.exporters.sketch import Sketch

X = np.arange(2 * 7 * 3, dtype=np.float32).reshape(1, 2, 7, 3)


def picked(lengths: object, numbers: tuple[int, ...], *, computed: bool = False) -> ir.Model:
    s = Sketch()
    s.input("x", X.shape)
    s.node("SplitToSequence", ["x", s.constant("lengths", np.asarray(lengths, dtype=np.int64))], "parts", axis=2)
    if computed:
        s.input("which", (), element_type=onnx.TensorProto.INT64)
    for place, number in enumerate(numbers):
        which = "which" if computed else s.constant(f"number_{place}", np.asarray(number, dtype=np.int64))
        s.node("SequenceAt", ["parts", which], f"part_{place}")
        s.node("Relu", [f"part_{place}"], f"y_{place}")
    return s.model(*(f"y_{place}" for place in range(len(numbers))))


@pytest.mark.parametrize(
    ("lengths", "numbers"), [((3, 4), (0, 1)), ((3, 4), (-1, 0)), ((2, 2, 3), (2, 0)), (3, (0, 1, 2)), (3, (2,))]
)
def test_parts_by_number(lengths: object, numbers: tuple[int, ...]) -> None:
    model = picked(lengths, numbers)
    run_rules(model, [SplitSequenceForm()])
    assert operators(model) == {"Split": 1, "Relu": len(numbers)}
    # ONNX Runtime 1.31 cannot run a sequence of parts of different lengths: the operator's specification says them.
    ends = np.cumsum(lengths)[:-1] if isinstance(lengths, tuple) else np.arange(lengths, X.shape[2], lengths)  # type: ignore[arg-type]
    parts = np.split(X, ends, axis=2)
    found = run(model, {"x": X})
    for place, number in enumerate(numbers):
        np.testing.assert_array_equal(found[f"y_{place}"], parts[number])


@pytest.mark.parametrize(
    "model", [picked((3, 4), (0, 1), computed=True), picked((3, 4), (1, 1))], ids=["computed", "twice"]
)
def test_anything_else_stays(model: ir.Model) -> None:
    run_rules(model, [SplitSequenceForm()])
    assert "Split" not in operators(model)
