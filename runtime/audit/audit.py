"""The audit of a file of either format, told apart by its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.onnx_audit import audit_onnx
from condmix.runtime.audit.report import Audit
from condmix.runtime.audit.tflite_audit import audit_tflite
from condmix.runtime.errors import InvalidSettingError, ModelUnreadableError, describe_place

_TFLITE_MARK = b"TFL3"
_MARK_BYTES = slice(4, 8)


def format_of(path: Path) -> Format:
    """TFLITE when the file carries the mark of a TFLite file or its name ends so, else ONNX, which has no mark.

    Raises ModelUnreadableError when there is no such file or nothing in it.
    """
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "there is no such file"
        raise ModelUnreadableError(describe_place(path), reason, "Give the path of an .onnx or .tflite file.")
    try:
        with path.open("rb") as stream:
            start = stream.read(_MARK_BYTES.stop)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelUnreadableError(describe_place(path), reason, "Check the permissions of the file.") from error
    if not start:
        raise ModelUnreadableError(describe_place(path), "it is empty", "Copy it again, or export it again.")
    is_tflite = start[_MARK_BYTES] == _TFLITE_MARK or path.suffix == ".tflite"
    return Format.TFLITE if is_tflite else Format.ONNX


def audit_file(path: Path, *, threads: int, runs: int, shapes: Mapping[str, tuple[int, ...]]) -> Audit:
    """What the engine of its format runs of the file.

    runs: timed calls, where the engine tells the time of its operators. shapes: of ONNX inputs with free axes; a
    free first axis is 1 without being asked for. The shapes of a TFLite file are its own.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError, SessionFailedError, ComparisonImpossibleError.
    """
    if runs < 1:
        raise InvalidSettingError([f"runs must be at least 1, found {runs}"], record="audit")
    if format_of(path) is Format.ONNX:
        return audit_onnx(path, threads=threads, runs=runs, shapes=shapes)
    if shapes:
        problem = f"shapes are given for {', '.join(map(repr, shapes))}, but those of a TFLite file are fixed"
        raise InvalidSettingError([problem], record="audit")
    return audit_tflite(path, threads=threads)
