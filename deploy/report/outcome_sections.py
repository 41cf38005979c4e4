"""What was asked of the figures: gates, and files that could not be built to be measured."""

from __future__ import annotations

from condmix.deploy.report.parts import Group, Section, Table
from condmix.deploy.report.view import ReportView


def gates_section(view: ReportView) -> Section | None:
    """Every gate with what came of it; None where none was asked for."""
    if not view.extras.gates:
        return None
    rows = tuple((one.outcome, one.gate, one.subject or "", one.sentence) for one in view.extras.gates)
    columns = ("outcome", "gate", "subject", "figure")
    table = Table(columns=columns, rows=rows, wide=frozenset({"figure"}))
    return Section(identity="gates", title="Gates", groups=(Group(tables=(table,)),))


def missing_section(view: ReportView) -> Section | None:
    """What is not in the table because it could not be built; None when everything could."""
    if not view.extras.missing:
        return None
    rows = tuple(view.extras.missing.items())
    table = Table(columns=("file", "why"), rows=rows, wide=frozenset({"why"}))
    return Section(identity="missing", title="Not measured", groups=(Group(tables=(table,)),))
