"""Two reports beside each other: what was set and installed differently, and what became of each subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.measure.ratio_change import RatioChange, percent_change, ratio_change
from condmix.deploy.measure.words import milliseconds

if TYPE_CHECKING:
    from condmix.runtime.bench.environment import Environment
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.statistics import Summary

SCHEMA_VERSION = 1
KIND = "condmix-difference-reports"
ONE_MACHINE = "both were measured on one kind of machine, at different times: ratios within a report are firmer"
OTHER_MACHINE = "they were measured on different machines: times are not compared, only ratios within each report"


@dataclass(frozen=True, kw_only=True)
class SubjectDifference:
    """One subject of both reports.

    median_change: new over old; None on different machines, or where one has no time. low, high: from both
    intervals. ratio: to the first subject, where both reports have the same one and this is another.
    facts: what else differs, in words: bytes, threads, inputs, failures.
    """

    name: str
    old_median_ns: float | None
    new_median_ns: float | None
    median_change: float | None
    median_low: float | None
    median_high: float | None
    ratio: RatioChange | None
    facts: tuple[str, ...]

    @property
    def median_differs(self) -> bool:
        """The intervals of both medians lie apart."""
        return (
            self.median_low is not None
            and self.median_high is not None
            and not (self.median_low <= 1 <= self.median_high)
        )

    def median_text(self, *, one_machine: bool) -> str:
        """Both medians and, on one machine, the change."""
        pair = f"{milliseconds(self.old_median_ns)} -> {milliseconds(self.new_median_ns)}"
        if not one_machine:
            return f"{pair}, not compared"
        if self.median_change is None or self.median_low is None or self.median_high is None:
            return f"{pair}, too few rounds"
        change = f"{percent_change(self.median_change)} ({percent_change(self.median_low)} to " + (
            f"{percent_change(self.median_high)})"
        )
        return f"{pair}, {change}" if self.median_differs else f"{pair}, no difference"

    def ratio_text(self) -> str:
        """Both ratios to the first subject and the change."""
        return "" if self.ratio is None else self.ratio.sentence().partition(": ")[2]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "old_median_ns": self.old_median_ns,
            "new_median_ns": self.new_median_ns,
            "median_change": self.median_change,
            "median_low": self.median_low,
            "median_high": self.median_high,
            "median_differs": self.median_differs,
            "ratio": None if self.ratio is None else self.ratio.to_dict(),
            "facts": list(self.facts),
        }


@dataclass(frozen=True, kw_only=True)
class ReportsDifference:
    """Report a is the old one, report b the new one.

    settings, environment: name -> (value in a, value in b), of those that differ.
    """

    a: Path
    b: Path
    verdict_a: str
    verdict_b: str
    one_machine: bool
    settings: Mapping[str, tuple[object, object]]
    environment: Mapping[str, tuple[object, object]]
    subjects: tuple[SubjectDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "a": str(self.a),
            "b": str(self.b),
            "verdict_a": self.verdict_a,
            "verdict_b": self.verdict_b,
            "one_machine": self.one_machine,
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "environment": {name: list(pair) for name, pair in self.environment.items()},
            "subjects": [subject.to_dict() for subject in self.subjects],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "notes": list(self.notes),
        }


def compare_reports(a: Path, old: BenchReport, b: Path, new: BenchReport) -> ReportsDifference:
    """The difference of the two, subjects matched by name; the controls are left out."""
    one_machine = is_one_machine(old.environment_before, new.environment_before)
    names_a, names_b = ([name for name in report.subject_names if name != report.control] for report in (old, new))
    notes = [ONE_MACHINE if one_machine else OTHER_MACHINE]
    same_reference = old.baseline == new.baseline and old.subjects[0].sha256 == new.subjects[0].sha256
    if not same_reference:
        names = f"is {old.baseline!r} in a, {new.baseline!r} in b"
        about = "is another file" if old.baseline == new.baseline else names
        notes.append(f"the first subject, to which ratios refer, {about}: ratios are not compared")
    for about, report in (("a", old), ("b", new)):
        if report.interrupted is not None:
            notes.append(f"{about} is half finished: {report.interrupted}")
    return ReportsDifference(
        a=a,
        b=b,
        verdict_a=old.verdict.first_line(),
        verdict_b=new.verdict.first_line(),
        one_machine=one_machine,
        settings=_differing(
            {**old.settings.to_dict(), "condmix": old.condmix_version},
            {**new.settings.to_dict(), "condmix": new.condmix_version},
        ),
        environment=_differing(_facts(old.environment_before), _facts(new.environment_before)),
        subjects=tuple(
            _subject(old, new, name, one_machine=one_machine, same_reference=same_reference)
            for name in names_a
            if name in names_b
        ),
        only_a=tuple(name for name in names_a if name not in names_b),
        only_b=tuple(name for name in names_b if name not in names_a),
        notes=tuple(notes),
    )


def is_one_machine(a: Environment, b: Environment) -> bool:
    """Both say the same of their CPU, cores, memory and kind. Machines have no names in reports."""
    return _identity(a) == _identity(b)


def _identity(one: Environment) -> tuple[object, ...]:
    cpu = one.cpu
    hardware = cpu.architecture, cpu.model_names, cpu.features, cpu.logical_cores, cpu.usable_cores
    return *hardware, one.memory_total_bytes, one.hypervisor, one.emulated, one.cpu_quota_cores


def _facts(one: Environment) -> dict[str, object]:
    """What stays as it is while a machine runs, and a difference in which could explain one in time."""
    cpu = one.cpu
    return {
        "cpu": ", ".join(cpu.model_names),
        "architecture": cpu.architecture,
        "instructions": " ".join(cpu.features),
        "cores": cpu.logical_cores,
        "usable cores": cpu.usable_cores,
        "system": cpu.system,
        "memory bytes": one.memory_total_bytes,
        "governor": "/".join(sorted({core.governor for core in one.cores if core.governor is not None})) or None,
        "maximum kHz": max((core.maximum_khz for core in one.cores if core.maximum_khz is not None), default=None),
        "virtual": one.hypervisor,
        "emulated": one.emulated,
        "quota of cores": one.cpu_quota_cores,
        "power": one.power,
        **dict(cpu.versions),
    }


def _differing(a: Mapping[str, object], b: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    names = dict.fromkeys((*a, *b))
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _subject(
    old: BenchReport, new: BenchReport, name: str, *, one_machine: bool, same_reference: bool
) -> SubjectDifference:
    before, now = old.steady(name), new.steady(name)
    change = low = high = None
    if one_machine and before is not None and now is not None:
        change = now.median_ns / before.median_ns
        low, high = _span(before, now)
    return SubjectDifference(
        name=name,
        old_median_ns=None if before is None else before.median_ns,
        new_median_ns=None if now is None else now.median_ns,
        median_change=change,
        median_low=low,
        median_high=high,
        ratio=ratio_change(old, new, name) if same_reference and name != new.baseline else None,
        facts=_subject_facts(old, new, name),
    )


def _span(before: Summary, now: Summary) -> tuple[float | None, float | None]:
    if before.median_low_ns is None or before.median_high_ns is None:
        return None, None
    if now.median_low_ns is None or now.median_high_ns is None:
        return None, None
    return now.median_low_ns / before.median_high_ns, now.median_high_ns / before.median_low_ns


def _subject_facts(old: BenchReport, new: BenchReport, name: str) -> tuple[str, ...]:
    pairs = [_described(report, name) for report in (old, new)]
    return tuple(f"{key}: {before} -> {now}" for key, (before, now) in _differing(*pairs).items())


def _described(report: BenchReport, name: str) -> dict[str, object]:
    record = report.subject(name)
    agreement = record.agreement
    return {
        "sha256": record.sha256[:12],
        "bytes": record.size_bytes,
        "engine": f"{record.subject.engine} {record.engine_version}",
        "threads": record.subject.threads,
        "delegate": record.subject.delegate,
        "inputs": ", ".join(f"{key} {'x'.join(map(str, shape))}" for key, shape in sorted(record.inputs.items())),
        "inputs from": record.input_source,
        "outputs": "not verified" if agreement is None else "verified" if agreement.passed else "WRONG",
        "failure": record.failure,
    }
