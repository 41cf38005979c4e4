"""A profile as the report shows it: time by operator and by module, special rows, and what this core can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from condmix.deploy.report.json_reader import JsonReader

BOUNDS = ("compute", "memory")
Rate = tuple[float, str]


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One kind of operator of the graph that runs; its time is None where operators were not timed."""

    operator: str
    nodes: float | None
    time_us: float | None
    multiply_adds: float | None


@dataclass(frozen=True, kw_only=True)
class ModuleTime:
    """One PyTorch module; its time is None below the noise; `bound` is compute, memory, or None without either."""

    module: str
    time_us: float | None
    multiply_adds: float | None
    bytes: float | None
    bound: str | None
    kind: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One subject; rates are (figure a second, how it was measured), None where not measured.

    peak: of the arithmetic that does most of the multiply-adds. peaks: by arithmetic, such as float32 and int8.
    """

    engine: str
    method: str
    runs: int
    total_us: float
    operators: tuple[OperatorTime, ...]
    modules: tuple[ModuleTime, ...]
    special: tuple[tuple[str, float], ...]
    delegate_coverage: Mapping[str, object] | None
    peak: Rate | None
    peaks: Mapping[str, Rate]
    bandwidth: Rate | None
    notes: tuple[str, ...]


def read_profile(reader: JsonReader) -> Profile:
    """The profile of one subject; faults are noted in the reader's problems."""
    coverage = reader.child("delegate_coverage").value
    return Profile(
        engine=reader.child("engine").text(),
        method=reader.child("method").text(),
        runs=reader.child("runs").whole(),
        total_us=reader.child("total_us").number(),
        operators=reader.child("operators").items(_operator),
        modules=reader.child("modules").items(_module),
        special=reader.child("special").items(
            lambda row: (row.child("row").text(), row.child("time_us").number()),
        ),
        delegate_coverage=coverage if isinstance(coverage, Mapping) else None,
        peak=_rate(reader.child("peak"), "multiply_adds_per_second"),
        peaks=_peaks(reader.child("peaks")),
        bandwidth=_rate(reader.child("bandwidth"), "bytes_per_second"),
        notes=() if reader.child("notes").value is None else reader.child("notes").items(lambda note: note.text()),
    )


def _operator(reader: JsonReader) -> OperatorTime:
    return OperatorTime(
        operator=reader.child("operator").text(),
        nodes=reader.child("nodes").optional_number(),
        time_us=reader.child("time_us").optional_number(),
        multiply_adds=reader.child("multiply_adds").optional_number(),
    )


def _module(reader: JsonReader) -> ModuleTime:
    bound = reader.child("bound").optional_text()
    if bound is not None and bound not in BOUNDS:
        reader.problems.append(f"{reader.place}.bound must be compute, memory or null, found {bound!r}")
    return ModuleTime(
        module=reader.child("module").text(),
        time_us=reader.child("time_us").optional_number(),
        multiply_adds=reader.child("multiply_adds").optional_number(),
        bytes=reader.child("bytes").optional_number(),
        bound=bound,
        kind=reader.child("kind").optional_text() or "",
    )


def _rate(reader: JsonReader, key: str) -> Rate | None:
    if reader.value is None or reader.child(key).value is None:
        return None
    return reader.child(key).number(), reader.child("how").optional_text() or ""


def _peaks(reader: JsonReader) -> dict[str, Rate]:
    if reader.value is None:
        return {}
    found = reader.mapping(lambda one: _rate(one, "multiply_adds_per_second"))
    return {name: rate for name, rate in found.items() if rate is not None}
