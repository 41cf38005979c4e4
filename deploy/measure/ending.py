"""How a run ends: its exit code and what stderr says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.gate_result import GateResult, failed

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport


def ending(report: BenchReport, gates: Sequence[GateResult], *, with_gates: bool) -> tuple[ExitCode, tuple[str, ...]]:
    """The gravest of: interrupted, wrong outputs, a subject that was lost, a gate that is not met.

    with_gates: a line for each gate that failed, where stdout has none.
    """
    unmet = failed(gates)
    lines = []
    if unmet:
        lines.append(f"{len(unmet)} of {len(gates)} gates not met")
        lines += [result.line() for result in unmet] if with_gates else []
    lost = [record.name for record in report.subjects if record.failure is not None]
    wrong = [record.name for record in report.subjects if record.agreement is not None and not record.agreement.passed]
    if lost:
        lines.append(f"lost: {', '.join(lost)}")
    if wrong:
        lines.append(f"outputs are wrong: {', '.join(wrong)}; their times mean nothing until that is mended")
    if report.interrupted is not None:
        return ExitCode.INTERRUPTED, (*lines, f"{report.interrupted}; all samples up to then are kept")
    code = ExitCode.PARITY if wrong else ExitCode.INPUT if lost else ExitCode.LATENCY if unmet else ExitCode.OK
    return code, tuple(lines)
