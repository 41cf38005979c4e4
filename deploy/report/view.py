"""A report with what its pages ask of it: a place for each subject, its figures, its letter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from condmix.deploy.report.extras import Extras, read_extras
from condmix.deploy.report.series import letter
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import SubjectRecord
from condmix.runtime.bench.statistics import Summary


@dataclass(frozen=True, kw_only=True)
class MeasuredSubject:
    """A subject with at least one timed run; `index` is its place in the report."""

    index: int
    record: SubjectRecord
    steady: Summary

    @property
    def name(self) -> str:
        """Of its record."""
        return self.record.name


@dataclass(frozen=True)
class ReportView:
    """One report. Raises UnreadableFileError, when `extras` is first asked for, where its sections are damaged."""

    report: BenchReport

    @cached_property
    def extras(self) -> Extras:
        """The sections beyond the samples."""
        return read_extras(self.report.sections)

    @cached_property
    def measured(self) -> tuple[MeasuredSubject, ...]:
        """The subjects with a timed run, in the order of the report."""
        found = []
        for index, record in enumerate(self.report.subjects):
            steady = self.report.steady(record.name)
            if steady is not None:
                found.append(MeasuredSubject(index=index, record=record, steady=steady))
        return tuple(found)

    @cached_property
    def span_s(self) -> float:
        """From the start of the measurement to the end of its last run; 0 without a run."""
        samples = (record.samples for record in self.report.subjects)
        ends = (start + wall for one in samples for start, wall in zip(one.start_ns, one.wall_ns, strict=True))
        return max(ends, default=0) / 1e9

    @cached_property
    def round_start_s(self) -> tuple[float, ...]:
        """When each round began, whichever subject had the first turn."""
        starts: dict[int, int] = {}
        for record in self.report.subjects:
            for start, number in zip(record.samples.start_ns, record.samples.round, strict=True):
                starts[number] = min(start, starts.get(number, start))
        return tuple(starts[number] / 1e9 for number in sorted(starts))

    def index(self, name: str) -> int | None:
        """The place of a subject; None where no subject has that name."""
        names = self.report.subject_names
        return names.index(name) if name in names else None

    def label(self, name: str) -> str:
        """The letter and the name; the name alone where it is no subject's."""
        index = self.index(name)
        return name if index is None else f"{letter(index)}  {name}"
