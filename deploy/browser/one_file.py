"""An ONNX file whose weights lie in other files, as one file: a page opens one."""

from __future__ import annotations

import importlib
from pathlib import Path

from condmix.deploy.browser.errors import BrowserError
from condmix.runtime.errors import EngineMissingError, one_line

_STEP = "reading the files"


def with_weights(path: Path) -> bytes:
    """The model with its weights in it; that they lie within its folder is known.

    Raises EngineMissingError without the onnx package, BrowserError for more than one message can hold, 2 GiB.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        package = "onnx"
        raise EngineMissingError(package, "export", one_line(error)) from error
    try:
        return bytes(onnx.load(path).SerializeToString())
    except Exception as error:  # protobuf has its own for what is too large, which share no base
        reason = f"{path} cannot be made one file for the page: {one_line(error)}"
        raise BrowserError(_STEP, reason, "Measure it with another device.") from error
