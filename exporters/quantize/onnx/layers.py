"""Layers with weights in the int8 graph: stored integers, their scales, and the kernels that are mixed of experts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.quantize.onnx.channel_spaces import is_depthwise
from condmix.exporters.quantize.onnx.condconv import MixedKernel
from condmix.exporters.quantize.onnx.emit import GraphWriter
from condmix.exporters.quantize.onnx.kernel_product import integer_row, is_one_row
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.values import Values
from condmix.exporters.quantize.onnx.weights import StoredBank, WeightGrid, stored_bank, stored_bias, stored_weight
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, UINT7, Affine, asymmetric
from condmix.exporters.quantize.ranges import Range, Ranges

FLOAT, INT8 = ir.DataType.FLOAT, ir.DataType.INT8
MATRIX_AXES = 2
"""Of the weight of a Gemm, which ONNX Runtime only computes in integers when its zero points are written out."""


class Layers:
    """Writes the operands of Conv and Gemm."""

    def __init__(
        self,
        writer: GraphWriter,
        values: Values,
        kernels: Mapping[str, MixedKernel],
        routings: Mapping[str, ir.Value],
        ranges: Ranges,
        options: OnnxInt8Options,
    ) -> None:
        self.weight_bytes: dict[str, int] = {}
        """By the result of the layer's Conv or Gemm."""
        self._writer = writer
        self._values = values
        self._kernels = kernels
        self._routings = routings
        self._ranges = ranges
        self._options = options
        self._mixed: dict[str, tuple[ir.Value, ir.Value, StoredBank]] = {}

    def operands(self, node: ir.Node) -> list[ir.Value | None]:
        """Input, weight and bias of an integer Conv or Gemm."""
        x, weight = node.inputs[:2]
        assert x is not None
        assert weight is not None
        bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
        name = node.outputs[0].name or ""
        input_scale = self._values.affine(x).scale
        rounded = self._values.rounded(x)
        if weight.name in self._mixed:
            real, scale, bank = self._mixed[weight.name]
            scale_o = np.tile(bank.scale_o, self._kernels[weight.name].copies)
            bias_o = None if bias is None else stored_bias(bias.reshape(-1), input_scale, scale_o)
            size = bank.bank_en.nbytes + scale_o.nbytes
        else:
            array, axis = _weight(node)
            if bias is not None:
                bias = np.broadcast_to(bias.reshape(-1), (array.shape[axis],))
            own = stored_weight(array, axis, bias, input_scale, self._grid(is_depthwise(node)))
            scale_o, bias_o = own.scale_o, own.bias_o
            scale = self._writer.shared(scale_o, f"{name}/weight/s")
            stored = self._writer.packed_constant(own.weight, f"{name}/weight/q")
            output = self._writer.value(f"{name}/weight", FLOAT)
            real = self._writer.dequantize_channels(stored, scale, axis, output, with_zeros=is_op(node, "Gemm"))
            size = own.weight.nbytes + scale_o.nbytes
        operands: list[ir.Value | None] = [rounded, real]
        if bias_o is not None:
            operands.append(self._real_bias(bias_o, input_scale, scale, name))
            size += bias_o.nbytes
        self.weight_bytes[name] = int(size)
        return operands

    def mix(self, node: ir.Node) -> None:
        """The kernel that `node` gives, mixed in integers: 7 bits of routing times 8 bits of experts, then rounded.

        Pairs of those products fit the 16 bits in which AVX2 adds them.
        """
        kernel = self._kernels[node.outputs[0].name or ""]
        path, writer = module_path(node), self._writer
        bank = stored_bank(kernel, self._ranges, self._options.kernel_grid(depthwise=kernel.is_depthwise))
        row, step = self._row(kernel, bank, path)
        integers = writer.quantize(row, step, f"{path}/kernel_row")
        if bank.grid != INT8_SYMMETRIC:
            # A routing that calibration never saw may mix larger weights than the grid has.
            ends = [writer.shared(np.asarray(end, np.int8), "kernel_end") for end in (bank.grid.low, bank.grid.high)]
            integers = writer.node("Clip", [integers, *ends], writer.value(f"{path}/kernel_row/clipped", INT8), path)
        target = writer.shared(np.asarray(kernel.shape, np.int64), "kernel_shape")
        shaped = writer.node("Reshape", [integers, target], writer.value(f"{path}/kernel/q", INT8), path)
        output = writer.value(kernel.kernel, FLOAT, reserved=True)
        scale = writer.shared(np.tile(bank.scale_o, kernel.copies), f"{path}/kernel/s")
        if kernel.is_batched:
            # The runtime's batched product has one scale for all its kernels; `factor` gives each channel its own.
            plain = Affine(scale=bank.kernel_step, zero_point=0, grid=INT8_SYMMETRIC)
            real = writer.dequantize(shaped, plain, output)
        else:
            as_matrix = len(kernel.shape) == MATRIX_AXES
            real = writer.dequantize_channels(shaped, scale, kernel.output_axis, output, with_zeros=as_matrix)
        self._mixed[kernel.kernel] = (real, scale, bank)

    def _row(self, kernel: MixedKernel, bank: StoredBank, path: str) -> tuple[ir.Value, Affine]:
        """Routing times bank, unrounded, and the grid to round it on."""
        writer, grid = self._writer, self._gate_affine(kernel)
        routing = self._routings[kernel.routing]
        if is_one_row(self._options.target, routing, grid):
            return integer_row(writer, self._values.gate_integers(routing, grid), grid, bank, path)
        experts = writer.dequantize(
            writer.constant(bank.bank_en, f"{path}/experts"),
            Affine(scale=bank.bank_scale, zero_point=0, grid=INT8_SYMMETRIC),
            writer.value(f"{path}/experts/rounded", FLOAT),
        )
        gates = self._values.gates(routing, grid)
        mixed = writer.node("MatMul", [gates, experts], writer.value(kernel.mixed, FLOAT, reserved=True), path)
        row = writer.node("Flatten", [mixed], writer.value(f"{path}/kernel_row", FLOAT), path, {"axis": 1})
        return row, Affine(scale=bank.kernel_step, zero_point=0, grid=INT8_SYMMETRIC)

    def factor(self, node: ir.Node) -> ir.Value:
        """What a batched product is multiplied with, channel by channel, to be in real numbers."""
        weight = node.inputs[1]
        assert weight is not None
        bank = self._mixed[weight.name or ""][2]
        factor_o = (bank.scale_o.astype(np.float64) / bank.kernel_step).astype(np.float32)
        return self._writer.constant(factor_o, f"{node.outputs[0].name}/factor")

    def _gate_affine(self, kernel: MixedKernel) -> Affine:
        if self._ranges.holds(kernel.routing):
            return asymmetric(self._ranges.of(kernel.routing), UINT7)
        rows = self._ranges.routing[kernel.routing]
        return asymmetric(Range.around(float(rows.min()), float(rows.max())), UINT7)

    def _grid(self, depthwise: bool) -> WeightGrid:
        return self._options.weight_grid(depthwise=depthwise)

    def _real_bias(self, bias_o: np.ndarray, input_scale: float, weight_scale: ir.Value, name: str) -> ir.Value:
        """Its scale is the product of the two: not stored, for a runtime multiplies them once, when it loads."""
        stored = self._writer.constant(bias_o, f"{name}/bias/q")
        source = self._writer.shared(np.asarray(input_scale, np.float32), f"{name}/input/s")
        scale = self._writer.node("Mul", [source, weight_scale], self._writer.value(f"{name}/bias/s", FLOAT))
        return self._writer.dequantize_channels(stored, scale, 0, self._writer.value(f"{name}/bias", FLOAT))


def _weight(node: ir.Node) -> tuple[np.ndarray, int]:
    """The constant weight and the axis of its output channels; of a Gemm as (in, out)."""
    array = constant(node.inputs[1])
    assert array is not None
    if not is_op(node, "Gemm"):
        return array, 0
    return (np.ascontiguousarray(array.T) if attribute_int(node, "transB", 0) else array), 1
