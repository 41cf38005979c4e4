"""All that can fail a finished run: --fail-if and --baseline, checked before it and judged after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.measure.baseline import check_baseline, compare_to_baseline
from condmix.deploy.measure.figures import EMULATED
from condmix.deploy.measure.gate_expression import TIMES, Gate, parse_gates
from condmix.deploy.measure.gate_judgement import check_gates, judge
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.report_files import read_reports
from condmix.deploy.measure.together import Checks

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What was asked for, read and understood. baseline: the old report and where it lies."""

    conditions: tuple[Gate, ...]
    baseline: tuple[Path, BenchReport] | None
    largest_regression: float

    def check(self, names: Sequence[str]) -> None:
        """A measurement of these subjects, the reference model first, can be judged. Raises PlanError."""
        check_gates(self.conditions, names)
        if self.baseline is not None:
            check_baseline(*self.baseline, names)

    def about_time(self) -> tuple[str, ...]:
        """Those that ask for a time, as typed: no emulated machine can answer them."""
        asked = [gate.text for gate in self.conditions if gate.metric.name in TIMES]
        return *asked, *([] if self.baseline is None else [f"--baseline {self.baseline[0]}"])

    def judge(self, report: BenchReport) -> tuple[GateResult, ...]:
        """The result of each."""
        results = judge(self.conditions, report)
        if self.baseline is None:
            return results
        path, old = self.baseline
        if report.verdict.is_emulated:
            gate = f"--baseline {path.name}"
            unknown = GateResult(gate=gate, subject=None, outcome=GateOutcome.NOT_JUDGED, sentence=EMULATED)
            return *results, unknown
        return *results, *compare_to_baseline(path, old, report, largest_regression=self.largest_regression)


def read_gates(texts: Sequence[str], baseline: Path | None, largest_regression: float) -> Gates:
    """The gates of a command line. Raises PlanError or UnreadableFileError with all that is wrong."""
    checks = Checks()
    conditions = checks.run(lambda: parse_gates(texts))
    old = None if baseline is None else checks.run(lambda: read_reports((baseline,))[0])
    checks.raise_if_any()
    return Gates(
        conditions=conditions or (),
        baseline=None if baseline is None or old is None else (baseline, old),
        largest_regression=largest_regression,
    )
