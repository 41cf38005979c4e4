"""A value of the float graph in the int8 graph: exact, as integers, and rounded; each made when first asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import constant, is_op
from condmix.exporters.quantize.onnx.emit import GraphWriter
from condmix.exporters.quantize.parameters import UINT7, UINT8, Affine, asymmetric, stored
from condmix.exporters.quantize.ranges import Range


class Values:
    """What stands for each value of the float graph.

    A value that integers are computed of keeps its name where it is real again, `<name>/exact` is what was rounded and
    `<name>/q` its integers. A value that is computed in float keeps its name, and is `<name>/rounded` for integer
    operators.
    """

    def __init__(self, writer: GraphWriter, affines: Mapping[str, Affine]) -> None:
        self._writer = writer
        self.affines = affines
        """By name, of every value that integers are held of."""
        self._real: dict[ir.Value, ir.Value] = {}
        self._integers: dict[ir.Value, ir.Value] = {}
        self._rounded: dict[ir.Value, ir.Value] = {}
        self._gates: dict[ir.Value, ir.Value] = {}
        self._gate_integers: dict[ir.Value, ir.Value] = {}
        self._integers_first: set[ir.Value] = set()

    def affine(self, value: ir.Value) -> Affine:
        """Scale and zero point of its integers."""
        return self.affines[value.name or ""]

    def set_real(self, value: ir.Value, real: ir.Value) -> None:
        """The value is computed in float."""
        self._real[value] = real

    def set_integers(self, value: ir.Value, integers: ir.Value) -> None:
        """The value is computed as integers."""
        self._integers[value] = integers
        self._integers_first.add(value)

    def set_exact(self, value: ir.Value, exact: ir.Value) -> None:
        """The value is what an integer operator gives, to be rounded here."""
        self.set_integers(value, self._writer.quantize(exact, self.affine(value), value.name or ""))

    def real(self, value: ir.Value) -> ir.Value:
        """For a reader in float."""
        if value not in self._real:
            array = constant(value)
            if array is not None:
                self._real[value] = self._writer.constant(array, value.name or "constant")
            else:
                output = self._writer.value(value.name or "", ir.DataType.FLOAT, reserved=True)
                self._real[value] = self._writer.dequantize(self._integers[value], self.affine(value), output)
        return self._real[value]

    def integers(self, value: ir.Value) -> ir.Value:
        """For a reader that moves integers."""
        if value not in self._integers:
            self._integers[value] = self._writer.quantize(self._real[value], self.affine(value), value.name or "")
        return self._integers[value]

    def rounded(self, value: ir.Value) -> ir.Value:
        """For an integer operator: real numbers that are on the value's grid."""
        if value in self._integers_first:
            return self.real(value)
        array = constant(value)
        if value not in self._rounded:
            if array is None:
                affine, integers = self.affine(value), self.integers(value)
            else:
                affine = asymmetric(Range.around(float(array.min()), float(array.max())), UINT8)
                numbers = stored(array, affine.scale, affine.zero_point, affine.grid)
                integers = self._writer.constant(numbers, f"{value.name}/q")
            self._rounded[value] = self._dequantized(integers, affine, f"{value.name}/rounded")
        return self._rounded[value]

    def gates(self, routing: ir.Value, affine: Affine) -> ir.Value:
        """A routing on the grid that the mixing of experts wants, once for all layers that share it."""
        if routing not in self._gates:
            integers = self.gate_integers(routing, affine)
            self._gates[routing] = self._dequantized(integers, affine, f"{routing.name}/gates/rounded")
        return self._gates[routing]

    def gate_integers(self, routing: ir.Value, affine: Affine) -> ir.Value:
        """The same as integers."""
        if routing not in self._gate_integers:
            stem = f"{routing.name}/gates"
            integers = self._writer.quantize(self.real(routing), affine, stem)
            if self._may_leave(routing, affine):
                ends = [self._writer.shared(np.asarray(end, np.uint8), "gates_end") for end in (UINT7.low, UINT7.high)]
                clipped = self._writer.value(f"{stem}/clipped", ir.DataType.UINT8)
                integers = self._writer.node("Clip", [integers, *ends], clipped)
            self._gate_integers[routing] = integers
        return self._gate_integers[routing]

    @staticmethod
    def _may_leave(routing: ir.Value, affine: Affine) -> bool:
        """Whether an image that calibration never saw may have a routing above the grid, which is half of uint8."""
        node = routing.producer()
        return not (is_op(node, "Sigmoid", "Softmax") and affine.range.high >= 1.0 - 1e-6)

    def _dequantized(self, integers: ir.Value, affine: Affine, name: str) -> ir.Value:
        return self._writer.dequantize(integers, affine, self._writer.value(name, ir.DataType.FLOAT))
