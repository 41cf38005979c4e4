"""Every value is real, integer and rounded at most once, and keeps its name where it is real."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.quantize.onnx.emit import GraphWriter
from condmix.exporters.quantize.onnx.values import Values
from condmix.exporters.quantize.parameters import UINT7, UINT8, Affine, asymmetric
from condmix.exporters.quantize.ranges import Range

AFFINE = asymmetric(Range(low=-1, high=3), UINT8)


def float_value(name: str) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([1, 4]))


class Case:
    def __init__(self) -> None:
        self.writer = GraphWriter(["v"])
        self.values = Values(self.writer, {"v": AFFINE})
        self.value = float_value("v")

    @property
    def operators(self) -> list[str]:
        return [node.op_type for node in self.writer.nodes]


@pytest.fixture
def case() -> Case:
    return Case()


def test_computed_in_float_read_in_float(case: Case) -> None:
    own = float_value("v")
    case.values.set_real(case.value, own)
    assert case.values.real(case.value) is own
    assert case.operators == []


def test_computed_in_float_read_by_integers(case: Case) -> None:
    case.values.set_real(case.value, float_value("v"))
    rounded = case.values.rounded(case.value)
    assert rounded.name == "v/rounded"
    assert case.values.rounded(case.value) is rounded
    assert case.values.integers(case.value).name == "v/q"
    assert case.operators == ["QuantizeLinear", "DequantizeLinear"]
    # A reader in float still gets what was computed.
    assert case.values.real(case.value).name == "v"


def test_computed_exactly_and_rounded(case: Case) -> None:
    case.values.set_exact(case.value, float_value("v/exact"))
    assert case.values.real(case.value).name == "v"
    assert case.values.rounded(case.value) is case.values.real(case.value)
    assert case.operators == ["QuantizeLinear", "DequantizeLinear"]


def test_computed_as_integers(case: Case) -> None:
    integers = ir.Value(name="moved", type=ir.TensorType(ir.DataType.UINT8))
    case.values.set_integers(case.value, integers)
    assert case.values.integers(case.value) is integers
    assert case.values.rounded(case.value).name == "v"
    assert case.values.rounded(case.value) is case.values.real(case.value)
    assert case.operators == ["DequantizeLinear"]


def test_a_constant_is_rounded_on_a_grid_of_its_own(case: Case) -> None:
    constant = ir.Value(name="c", const_value=ir.tensor(np.asarray([0.0, 0.25, 6.0], np.float32)))
    case.values.rounded(constant)
    stored = next(item for item in case.writer.initializers if item.name == "c/q").const_value
    assert stored is not None
    assert stored.numpy().tolist() == [0, 11, 255]
    assert case.values.real(constant).name == "c"


def test_gates_are_rounded_once_for_all_layers(case: Case) -> None:
    routing = ir.node("Sigmoid", [float_value("x")], outputs=[float_value("v")]).outputs[0]
    case.values.set_real(routing, float_value("v"))
    affine = asymmetric(Range(low=0, high=1), UINT7)
    assert case.values.gates(routing, affine) is case.values.gates(routing, affine)
    assert case.operators == ["QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize(("op_type", "high"), [("Sigmoid", 0.8), ("Relu", 1.0)])
def test_gates_that_may_leave_their_grid_are_held_on_it(case: Case, op_type: str, high: float) -> None:
    routing = ir.node(op_type, [float_value("x")], outputs=[float_value("v")]).outputs[0]
    case.values.set_real(routing, float_value("v"))
    case.values.gates(routing, asymmetric(Range(low=0, high=high), UINT7))
    assert case.operators == ["QuantizeLinear", "Clip", "DequantizeLinear"]


def test_the_affine_of_a_value(case: Case) -> None:
    assert case.values.affine(case.value) == AFFINE
    assert isinstance(AFFINE, Affine)
