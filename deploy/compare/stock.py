"""What others make of the network with their defaults: torch.onnx.export, and onnxruntime's quantize_static of that."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from condmix.runtime.onnx_session import telemetry_off


def stock_onnx(module: nn.Module, input_size: tuple[int, int, int]) -> bytes:
    """The network as `torch.onnx.export(dynamo=True)` writes it for one image, all options at their defaults.

    Raises what that function raises; it does not take every network.
    """
    with warnings.catch_warnings():
        # torch's own export code warns about its tree utilities; nothing a user could act on.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (torch.zeros(1, *input_size),), dynamo=True, verbose=False)
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def stock_int8(stock: bytes, images: Iterable[np.ndarray]) -> bytes:
    """The file after onnxruntime.quantization.quantize_static: QDQ, u8 activations, s8 weights a channel.

    images: (channels, height, width) each; it keeps every value of the network for all of them, so only a few.
    Raises what that function raises; it does not take every file.
    """
    with telemetry_off():
        from onnxruntime.quantization import QuantType  # type: ignore[import-untyped]

    return _quantized(stock, images, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def stock_int8_as_it_comes(stock: bytes, images: Iterable[np.ndarray]) -> bytes:
    """The same with all options of quantize_static at their defaults: one scale a weight, int8 throughout."""
    return _quantized(stock, images)


def _quantized(stock: bytes, images: Iterable[np.ndarray], **options: object) -> bytes:
    with telemetry_off():
        from onnxruntime.quantization import CalibrationDataReader, quantize_static

    feed = onnx.load_from_string(stock).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._images: Iterator[np.ndarray] = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {feed: image[None]}

    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(name) / "stock.onnx", Path(name) / "int8.onnx"
        source.write_bytes(stock)
        logging.disable(logging.WARNING)  # it advises its own preprocessing, once a file
        try:
            quantize_static(source, target, Reader(), **options)
        finally:
            logging.disable(logging.NOTSET)
        return target.read_bytes()
