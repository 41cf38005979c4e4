"""What others make of the network with their defaults: torch.onnx.export, and onnxruntime's quantize_static of that."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.program.convert import convert_exported, convert_scripted
from condmix.exporters.program.exported import as_module, load_exported
from condmix.exporters.program.scripted import load_scripted
from condmix.models.file_kind import FileKind
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.onnx_session import telemetry_off


def stock_onnx(
    module: nn.Module, input_size: tuple[int, int, int], more_inputs: Mapping[str, tuple[int, ...]] | None = None
) -> bytes:
    """The network as `torch.onnx.export(dynamo=True)` writes it for one image, all options at their defaults.

    more_inputs: shapes of one image's other inputs; all are then given the names that our files have.
    Raises what that function raises; it does not take every network.
    """
    with warnings.catch_warnings():
        # torch's own export code warns about its tree utilities; nothing a user could act on.
        warnings.simplefilter("ignore")
        shapes = (input_size, *(more_inputs or {}).values())
        names = ["input", *more_inputs] if more_inputs else None
        images = tuple(torch.zeros(1, *shape) for shape in shapes)
        program = torch.onnx.export(module, images, dynamo=True, verbose=False, input_names=names)
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def stock_onnx_of_program(
    path: Path, kind: FileKind, input_size: tuple[int, int, int], *, allow_pickle: bool = False
) -> bytes:
    """What torch.onnx.export makes of a .pt2 (its newer exporter) or a TorchScript file (its older one).

    Raises what that function raises, and OnnxInputError for a program of several images, whose file is for as many.
    """
    if kind is FileKind.EXPORTED_PROGRAM:
        exported = load_exported(path, allow_pickle=allow_pickle)
        proto = convert_exported(path, exported, as_module(path, exported), input_size)
    else:
        proto = convert_scripted(path, load_scripted(path, allow_pickle=allow_pickle), input_size)
    images = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    if images > 1:
        text = f"it is for {images} images a call, the comparison for one"
        raise OnnxInputError(str(path), (("ONNX_BATCH", text),))
    return bytes(proto.SerializeToString())


def stock_int8(stock: bytes, images: Iterable[np.ndarray]) -> bytes:
    """The file after onnxruntime.quantization.quantize_static: QDQ, u8 activations, s8 weights a channel.

    images: (channels, height, width) each, or a row of all inputs; it keeps every value of the network for all of
    them, so only a few.
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

    names = [value.name for value in onnx.load_from_string(stock).graph.input]

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._images: Iterator[np.ndarray] = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else feeds(as_batch(image), names)

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
