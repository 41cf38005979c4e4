"""onnxruntime's quantize_static as it comes: QDQ, one scale a weight, int8 throughout."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx


def quantize_static_plain(stock: bytes, images_nchw: Iterable[np.ndarray]) -> bytes:
    """The file after quantize_static with all its options at their defaults. Raises what that function raises."""
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        quantize_static,
    )

    feed = onnx.load_from_string(stock).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def __init__(self) -> None:
            self._images: Iterator[np.ndarray] = iter(images_nchw)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {feed: image[None]}

    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(name) / "stock.onnx", Path(name) / "int8.onnx"
        source.write_bytes(stock)
        logging.disable(logging.WARNING)  # it advises its own preprocessing, once a file
        try:
            quantize_static(source, target, Reader())
        finally:
            logging.disable(logging.NOTSET)
        return target.read_bytes()
