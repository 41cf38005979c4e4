"""Routing times bank as MatMulInteger, where the processor has a kernel of its own for one row: x86, one image a call.

Measured on x86 with VNNI: a bank of three axes is read as it lies, at the speed of the memory; as MatMul between
DequantizeLinear and QuantizeLinear the runtime packs it for products of many rows, and the mixing takes half as long
again (docs/machine-files.md). Elsewhere there is no such kernel, and packing the bank for every image would cost more.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from condmix.exporters.quantize.onnx.emit import GraphWriter
from condmix.exporters.quantize.onnx.weights import StoredBank
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Affine

TARGETS = ("x86", "x86-vnni")


def is_one_row(target: str, routing: ir.Value, grid: Affine) -> bool:
    """Whether the product is to be written as integers. grid: of the routing; its zero has to be 0."""
    rows = None if routing.shape is None else routing.shape[0]
    return target in TARGETS and rows == 1 and grid.zero_point == 0


def integer_row(
    writer: GraphWriter, gates: ir.Value, grid: Affine, bank: StoredBank, path: str
) -> tuple[ir.Value, Affine]:
    """The mixed integers (1, 1, elements), as float32 numbers, and the grid to round them on.

    gates: uint8 (1, experts), rounded on `grid`. Exact: the sums are below 2^24, where float32 holds every integer.
    """
    experts = writer.constant(bank.bank_en[None], f"{path}/experts")
    sums = writer.value(f"{path}/kernel_sums", ir.DataType.INT32)
    integers = writer.node("MatMulInteger", [gates, experts], sums, path)
    # Not DequantizeLinear: the runtime would draw a rounding of its own into the product.
    row = writer.value(f"{path}/kernel_row", ir.DataType.FLOAT)
    writer.node("Cast", [integers], row, path, {"to": int(ir.DataType.FLOAT)})
    step = Affine(scale=bank.kernel_step, zero_point=0, grid=INT8_SYMMETRIC)
    return row, replace(step, scale=bank.kernel_step / (grid.scale * bank.bank_scale))
