"""--fail-if on a finished report. A figure that does not exist does not pass: it cannot be judged."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from condmix.deploy.errors import PlanError
from condmix.deploy.measure.figures import Figure, figure, noise_floor
from condmix.deploy.measure.gate_expression import Gate
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.words import quantity

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport


def gate_problems(gates: Sequence[Gate], names: Sequence[str]) -> tuple[str, ...]:
    """One line for each gate that no measurement of the subjects `names` could judge; the first is the baseline."""
    problems = []
    for gate in gates:
        if gate.subject is not None and gate.subject not in names:
            nearest = difflib.get_close_matches(gate.subject, names, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            problems.append(f"{gate.text!r}: no subject is named {gate.subject!r}: {hint}there are {', '.join(names)}")
        elif gate.metric.name == "ratio" and (gate.subject == names[0] or len(names) == 1):
            first = f"{names[0]!r} is the first subject, the one that others are divided by"
            problems.append(f"{gate.text!r}: {first}: give two files or more, and name another one")
    return tuple(problems)


def check_gates(gates: Sequence[Gate], names: Sequence[str]) -> None:
    """Every gate speaks of subjects that will be measured. Raises PlanError."""
    if problems := gate_problems(gates, names):
        summary = "--fail-if asks for what this measurement has not:"
        raise PlanError(summary, problems)


def judge(gates: Sequence[Gate], report: BenchReport) -> tuple[GateResult, ...]:
    """One result for each gate and each subject it is about, in order. The control is no subject of its own."""
    names = [name for name in report.subject_names if name != report.control]
    results: list[GateResult] = []
    for gate in gates:
        if gate.metric.name == "verdict":
            results.append(_verdict(gate, report))
        elif not gate.metric.of_subject:
            results.append(_judged(gate, None, noise_floor(report)))
        else:
            chosen = [gate.subject] if gate.subject is not None else _all_for(gate, names)
            if gate.subject is not None and gate.subject not in names:
                missing = f"it was not measured, there are {', '.join(names)}"
                results.append(
                    GateResult(gate=gate.text, subject=gate.subject, outcome=GateOutcome.NOT_JUDGED, sentence=missing)
                )
                continue
            results += [_judged(gate, name, figure(report, gate.metric.name, name)) for name in chosen]
    return tuple(results)


def _all_for(gate: Gate, names: Sequence[str]) -> Sequence[str]:
    return names[1:] if gate.metric.name == "ratio" else names


def _judged(gate: Gate, name: str | None, found: Figure) -> GateResult:
    if found.value is None:
        return GateResult(gate=gate.text, subject=name, outcome=GateOutcome.NOT_JUDGED, sentence=found.missing)
    # What is not a number is on the wrong side of no limit, and passes none.
    holds = found.value != found.value or gate.holds_for(found.value)
    text = quantity(gate.metric.name, found.value)
    if found.low is not None and found.high is not None:
        text += f" ({quantity(gate.metric.name, found.low)} to {quantity(gate.metric.name, found.high)})"
    return GateResult(
        gate=gate.text,
        subject=name,
        outcome=GateOutcome.FAILED if holds else GateOutcome.PASSED,
        sentence=f"{gate.metric.name} is {text}",
    )


def _verdict(gate: Gate, report: BenchReport) -> GateResult:
    words = {finding.verdict.name for finding in report.verdict.findings}
    holds = gate.limit in words if gate.operator == "==" else words != {gate.limit}
    return GateResult(
        gate=gate.text,
        subject=None,
        outcome=GateOutcome.FAILED if holds else GateOutcome.PASSED,
        sentence=report.verdict.first_line(),
    )
