"""The profile of every subject of a report: runs of their own after the measurement, whose times are no latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from condmix.deploy.neighbour_record import record_of
from condmix.runtime.bench.subject import ONNXRUNTIME, TFLITE_RUNTIME
from condmix.runtime.errors import InferenceError
from condmix.runtime.litert_session import ENGINE as LITERT_ENGINE
from condmix.runtime.onnx_session import ENGINE as ONNX_ENGINE
from condmix.runtime.profile.profile import profile_file
from condmix.runtime.profile.records import Profile, Roof
from condmix.runtime.profile.roof import measure_roof

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import SubjectRecord

RUNS = 30
MOST_MODULES = 8


class Profiles:
    """Profiles by subject as they are made; `notes` names every subject that has none, and why."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._roofs: dict[tuple[str, int], Roof] = {}
        self.found: dict[str, Profile] = {}
        self.notes: list[str] = []

    def make(self, report: BenchReport) -> Mapping[str, object]:
        """The section `profile`: subject -> its profile as plain data. The control has none, it is the first file."""
        for record in report.subjects:
            if record.name == report.control or record.failure is not None:
                continue
            if not record.subject.delegate:
                self.notes.append(f"{record.name}: not profiled: a profile is taken with the delegate")
                continue
            if record.subject.engine == TFLITE_RUNTIME:
                self.notes.append(f"{record.name}: not profiled: only ONNX Runtime and LiteRT are")
                continue
            self._say(f"profile {record.name}")
            try:
                self.found[record.name] = self._profile(record)
            except InferenceError as error:
                self.notes.append(f"{record.name}: not profiled: {' '.join(str(error).split())}")
        return {name: one.to_dict() for name, one in self.found.items()}

    def _profile(self, record: SubjectRecord) -> Profile:
        subject = record.subject
        entry, _ = record_of(subject.file, record.sha256)
        is_onnx = subject.engine == ONNXRUNTIME
        way = (subject.engine, subject.threads)
        if way not in self._roofs:
            self._roofs[way] = measure_roof(ONNX_ENGINE if is_onnx else LITERT_ENGINE, subject.threads)
        return profile_file(
            subject.file,
            threads=subject.threads,
            runs=RUNS,
            shapes=record.inputs if is_onnx else {},
            record=None if entry is None else {"artifacts": [entry]},
            roof=self._roofs[way],
        )


def module_rows(profile: Profile) -> list[tuple[str, ...]]:
    """The modules that take longest, and the rest in one row."""
    ordered = sorted(profile.modules, key=lambda one: -one.time_us)
    rows: list[tuple[str, ...]] = [
        (
            one.module or "no module known",
            one.kind,
            f"{one.time_us:.1f}",
            f"{100 * one.time_us / profile.total_us:.1f} %",
            "" if one.bound is None else str(one.bound),
        )
        for one in ordered[:MOST_MODULES]
    ]
    rest = ordered[MOST_MODULES:]
    if rest:
        time_us = sum(one.time_us for one in rest)
        share = f"{100 * time_us / profile.total_us:.1f} %"
        rows.append((f"{len(rest)} more", "", f"{time_us:.1f}", share, ""))
    return rows


def special_line(profile: Profile) -> str:
    """What CondConv, MixConv, layout and quantisation cost, in one line; empty where only modules were timed."""
    parts = [
        f"{row} {100 * time_us / profile.total_us:.1f} %" for row, time_us in profile.special.items() if time_us > 0
    ]
    return ", ".join(parts)
