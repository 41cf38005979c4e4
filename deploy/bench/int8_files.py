"""Int8 files for the benchmark: ours, and what ONNX Runtime's own quantize_static makes of the stock file."""

from __future__ import annotations

from torch import nn

from condmix.deploy.compare.stock import stock_int8
from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.verify.images import candidate_images

INT8, INT8_EXPERTS, QUANTIZE_STATIC = "condmix int8", "condmix int8 experts", "quantize_static on stock"
INT8_X86 = "condmix int8, --target x86-vnni"


def int8_bytes(module: nn.Module, size: int, *, conditional: bool) -> dict[str, bytes]:
    """The network in int8, and one with CondConv with int8 banks and float arithmetic too, by name in the table."""
    prepared = prepare(capture(module, (3, size, size)), ExportOptions(stage="rewritten"), {}, _silent)
    ranges = calibrate(prepared, candidate_images((3, size, size)).array_nchw)
    wanted = {INT8: OnnxInt8Options()}
    if conditional:
        wanted[INT8_X86] = OnnxInt8Options(target="x86-vnni")
        wanted[INT8_EXPERTS] = OnnxInt8Options(experts="weights")
    return {
        name: build_int8(prepared, ranges, options, {}, _silent).proto.SerializeToString()
        for name, options in wanted.items()
    }


def quantize_static_bytes(stock: bytes, size: int) -> bytes:
    """The stock file after onnxruntime.quantization.quantize_static: QDQ, u8 activations, s8 weights a channel.

    Raises what that function raises; it does not take every file.
    """
    return stock_int8(stock, candidate_images((3, size, size)).array_nchw)


def _silent(_stage: str) -> None:
    """Nobody is watching."""
