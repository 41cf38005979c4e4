"""Int8 files for the benchmark: ours, and what ONNX Runtime's own quantize_static makes of the stock file."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from torch import nn

from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.verify.images import candidate_images

INT8, INT8_EXPERTS, QUANTIZE_STATIC = "condmix int8", "condmix int8 experts", "quantize_static on stock"


def int8_bytes(module: nn.Module, size: int, *, conditional: bool) -> dict[str, bytes]:
    """The network in int8, and one with CondConv with int8 banks and float arithmetic too, by name in the table."""
    prepared = prepare(capture(module, (3, size, size)), ExportOptions(stage="rewritten"), {}, _silent)
    ranges = calibrate(prepared, candidate_images((3, size, size)).array_nchw)
    wanted = {INT8: OnnxInt8Options()}
    if conditional:
        wanted[INT8_EXPERTS] = OnnxInt8Options(experts="weights")
    return {
        name: build_int8(prepared, ranges, options, {}, _silent).proto.SerializeToString()
        for name, options in wanted.items()
    }


def quantize_static_bytes(stock: bytes, size: int) -> bytes:
    """The stock file after onnxruntime.quantization.quantize_static: QDQ, u8 activations, s8 weights a channel.

    Raises what that function raises; it does not take every file.
    """
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        QuantType,
        quantize_static,
    )

    feed = onnx.load_from_string(stock).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._images: Iterator[np.ndarray] = iter(candidate_images((3, size, size)).array_nchw)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {feed: image[None]}

    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(name) / "stock.onnx", Path(name) / "int8.onnx"
        source.write_bytes(stock)
        logging.disable(logging.WARNING)  # it advises its own preprocessing, once a file
        try:
            quantize_static(
                source,
                target,
                Reader(),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        return target.read_bytes()


def _silent(_stage: str) -> None:
    """Nobody is watching."""
