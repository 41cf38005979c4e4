"""--baseline OLD --max-regression SHARE: each subject's ratio to the reference model, then and now.

The reference model is the first file: it is measured beside the others, then and now. Times of two runs are not
compared, since machines differ, and hours of one machine too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.errors import PlanError
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.ratio_change import RatioChange, percent_change, ratio_change

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import SubjectRecord


def check_baseline(path: Path, old: BenchReport, names: Sequence[str]) -> None:
    """Something can be compared: the same reference model, and a subject in both besides it. Raises PlanError.

    names: of the subjects that will be measured, the reference model first.
    """
    problems = []
    if old.baseline != names[0]:
        problems.append(
            f"its ratios are to {old.baseline!r}, those of this run would be to {names[0]!r}: "
            f"give the file of {old.baseline!r} first"
        )
    else:
        known = [name for name in _others(old) if name in names]
        if not known:
            had = ", ".join(_others(old)) or "none"
            problems.append(
                f"no subject besides {names[0]!r} is in both: it has {had}; "
                f"this run has {', '.join(names[1:]) or 'none'}"
            )
    if problems:
        summary = f"--baseline {path} cannot be compared with this run:"
        raise PlanError(summary, problems)


def compare_to_baseline(
    path: Path, old: BenchReport, new: BenchReport, *, largest_regression: float
) -> tuple[GateResult, ...]:
    """One result for each subject of either report besides the reference model.

    It fails when the ratio has grown by more than `largest_regression` (0.05 is 5 %), beyond both intervals and the
    noise floor of both reports. A subject that only the old report has cannot be judged, one that is new passes.
    """
    gate = f"--baseline {path.name} --max-regression {100 * largest_regression:g}%"
    others = [name for name in new.subject_names[1:] if name != new.control]
    gone = [name for name in _others(old) if name not in others]
    results = []
    for name in others:
        if name in _others(old):
            results.append(_compared(gate, old, new, name, largest_regression))
        else:
            sentence = "it is not in the old report: nothing to compare with"
            results.append(_result(gate, name, GateOutcome.PASSED, sentence))
    for name in gone:
        sentence = "it is in the old report and was not measured now: give its file too, or make the report anew"
        results.append(_result(gate, name, GateOutcome.NOT_JUDGED, sentence))
    return tuple(results)


def _others(report: BenchReport) -> tuple[str, ...]:
    return tuple(name for name in report.subject_names[1:] if name != report.control)


def _compared(gate: str, old: BenchReport, new: BenchReport, name: str, largest_regression: float) -> GateResult:
    if unlike := _unlike(old, new, name):
        sentence = f"it was measured in another way: {'; '.join(unlike)}"
        return _result(gate, name, GateOutcome.NOT_JUDGED, sentence)
    lost = [
        f"{about} failed in the {when} report: {record.failure}"
        for when, report in (("old", old), ("new", new))
        for about, record in (("it", report.subject(name)), ("the reference model", report.subjects[0]))
        if record.failure is not None
    ]
    if lost:
        return _result(gate, name, GateOutcome.NOT_JUDGED, "; ".join(lost))
    change = ratio_change(old, new, name)
    if not change.is_known:
        sentence = f"{change.sentence()}: give --runs 100 or more, then and now"
        return _result(gate, name, GateOutcome.NOT_JUDGED, sentence)
    return _result(gate, name, *_outcome(change, largest_regression))


def _outcome(change: RatioChange, largest_regression: float) -> tuple[GateOutcome, str]:
    assert change.change is not None
    assert change.high is not None
    beyond = change.change > 1 + largest_regression
    if beyond and change.is_different:
        return GateOutcome.FAILED, change.sentence()
    if beyond:
        return GateOutcome.PASSED, f"{change.sentence()}: more runs would tell"
    if change.high > 1 + largest_regression:
        # Nothing was found, and it is said how much could have been overlooked.
        return GateOutcome.PASSED, f"{change.sentence()}; up to {percent_change(change.high)} is not ruled out"
    return GateOutcome.PASSED, change.sentence()


def _unlike(old: BenchReport, new: BenchReport, name: str) -> list[str]:
    """Why the two ratios are not of the same thing. The bytes of `name` may differ, that is what is judged."""
    reasons = []
    if old.subjects[0].sha256 != new.subjects[0].sha256:
        reasons.append(f"the reference model {new.baseline!r} is another file than then (sha256 differs)")
    for about, one, other in (
        ("", old.subject(name), new.subject(name)),
        (f"{new.baseline}: ", old.subjects[0], new.subjects[0]),
    ):
        before, now = _way(one), _way(other)
        reasons += [f"{about}{key} {before[key]} then, {now[key]} now" for key in now if before[key] != now[key]]
    return reasons


def _way(record: SubjectRecord) -> dict[str, object]:
    subject = record.subject
    shapes = {name: "x".join(map(str, shape)) for name, shape in record.inputs.items()}
    return {
        "engine": subject.engine,
        "threads": subject.threads,
        "delegate": "on" if subject.delegate else "off",
        "inputs": ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items())) or "not known",
        "inputs from": record.input_source,
    }


def _result(gate: str, name: str, outcome: GateOutcome, sentence: str) -> GateResult:
    return GateResult(gate=gate, subject=name, outcome=outcome, sentence=sentence)
