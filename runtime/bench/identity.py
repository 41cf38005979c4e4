"""Which file was measured: its bytes by their hash, its format, and the arithmetic that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime.artifact import Format, Precision
from condmix.runtime.audit.audit import format_of
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME, TFLITE_RUNTIME, BenchSubject
from condmix.runtime.errors import ModelUnreadableError, describe_place
from condmix.runtime.external_data import external_files, identity_with

# Operators of ONNX that compute in integers, or round to them. "DequantizeLinear" holds none of these words.
_INTEGER_OPERATORS = (b"QuantizeLinear", b"QLinear", b"ConvInteger", b"MatMulInteger")
_ENGINES_OF = {Format.ONNX: (ONNXRUNTIME,), Format.TFLITE: (LITERT, TFLITE_RUNTIME)}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One file. sha256, size_bytes: with the files that hold its weights, one behind the other, where it has such.

    holds_integers: of an ONNX file, some operator rounds; None for TFLite, of which its engine tells."""

    format: Format
    sha256: str
    size_bytes: int
    holds_integers: bool | None


def engine_of(path: Path) -> str:
    """The engine that runs the file where nobody asks for another, by its content.

    Raises ModelUnreadableError when it cannot be read.
    """
    return _ENGINES_OF[format_of(path)][0]


def precision_of(holds_integers: bool | None) -> str | None:
    """The word for reports."""
    if holds_integers is None:
        return None
    return str(Precision.INT8 if holds_integers else Precision.FLOAT32)


def identify(subjects: Sequence[BenchSubject]) -> dict[str, Identity]:
    """Subject name -> its file, each file read once.

    Raises ModelUnreadableError naming every file that cannot be read or is not for the subject's engine.
    """
    known: dict[Path, Identity] = {}
    found: dict[str, Identity] = {}
    errors: dict[Path, ModelUnreadableError] = {}
    for subject in subjects:
        path = subject.file
        if path in errors:
            continue
        try:
            if path not in known:
                known[path] = _read(path)
            engines = _ENGINES_OF[known[path].format]
            if subject.engine not in engines:
                reason = f"it is a file for {engines[0]}, and {subject.name!r} asks for {subject.engine}"
                raise ModelUnreadableError(describe_place(path), reason, "Name the other engine.")
            found[subject.name] = known[path]
        except ModelUnreadableError as error:
            errors[path] = error
    if len(errors) == 1:
        raise next(iter(errors.values()))
    if errors:
        reasons = "; ".join(f"'{path}': {error.reason}" for path, error in errors.items())
        place = f"{len(errors)} files"
        raise ModelUnreadableError(place, reasons, "Give files that can be read.")
    return found


def _read(path: Path) -> Identity:
    format = format_of(path)
    try:
        content = path.read_bytes()
        files = external_files(path, content) if format is Format.ONNX else {}
        sha256, size_bytes = identity_with(content, files)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelUnreadableError(describe_place(path), reason, "Check the permissions of the file.") from error
    return Identity(
        format=format,
        sha256=sha256,
        size_bytes=size_bytes,
        holds_integers=None if format is Format.TFLITE else any(name in content for name in _INTEGER_OPERATORS),
    )
