"""How a comparison ends: its exit code and what stderr says of it."""

from __future__ import annotations

from condmix.deploy.compare.write import Comparison
from condmix.deploy.exit_codes import ExitCode


def ending(comparison: Comparison) -> tuple[ExitCode, tuple[str, ...]]:
    """The gravest of: interrupted, files that compute something else or were rejected, files that were lost.

    What others' exporters make of a network is their matter: such a file is told, and is no failure.
    """
    report, foreign = comparison.report, comparison.foreign
    wrong = [row.name for row in comparison.rows if row.agrees is False and row.name not in foreign]
    lost = [record.name for record in report.subjects if record.failure is not None and record.name not in foreign]
    lines = []
    if comparison.rejected:
        lines.append(f"rejected: {', '.join(comparison.rejected)}")
    if lost:
        lines.append(f"lost while measuring: {', '.join(lost)}")
    if wrong:
        lines.append(f"outputs are wrong: {', '.join(wrong)}; their times mean nothing until that is mended")
    if report.interrupted is not None:
        return ExitCode.INTERRUPTED, (*lines, f"{report.interrupted}; all samples up to then are kept")
    code = ExitCode.PARITY if wrong or comparison.rejected else ExitCode.INPUT if lost else ExitCode.OK
    return code, tuple(lines)
