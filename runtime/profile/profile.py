"""Where the time of a file goes on this machine, in the engine of its format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import format_of
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.litert_session import ENGINE as LITERT
from condmix.runtime.onnx_session import ENGINE as ONNX_RUNTIME
from condmix.runtime.profile.constructs import constructs_of
from condmix.runtime.profile.profile_litert import profile_litert
from condmix.runtime.profile.profile_onnx import profile_onnx
from condmix.runtime.profile.records import Profile, Roof
from condmix.runtime.profile.roof import measure_roof

_RECORD = "profile"


def profile_file(
    path: Path,
    *,
    threads: int,
    runs: int,
    shapes: Mapping[str, tuple[int, ...]],
    record: Mapping[str, object] | None = None,
    roof: Roof | None = None,
) -> Profile:
    """Time by operator, by PyTorch module and by what CondConv and MixConv add; a run of its own, no latency.

    runs: profiled calls. shapes: of ONNX inputs with free axes; a free first axis is 1 without being asked for.
    record: the `.condmix.json` of an export as plain data, which names the construct of each layer.
    roof: measured before for the same engine and threads; measured now, in a second, when left out.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError, SessionFailedError, ComparisonImpossibleError.
    """
    problems = [
        f"{name} must be at least 1, found {value}"
        for name, value in (("threads", threads), ("runs", runs))
        if value < 1
    ]
    format = format_of(path)
    if shapes and format is Format.TFLITE:
        problems.append(f"shapes are given for {', '.join(map(repr, shapes))}, but those of a TFLite file are fixed")
    if problems:
        raise InvalidSettingError(problems, record=_RECORD)
    constructs = constructs_of(record, format)
    if format is Format.TFLITE:
        roof = roof or measure_roof(LITERT, threads)
        return profile_litert(path, threads=threads, runs=runs, constructs=constructs, roof=roof)
    roof = roof or measure_roof(ONNX_RUNTIME, threads)
    return profile_onnx(path, threads=threads, runs=runs, shapes=shapes, constructs=constructs, roof=roof)
