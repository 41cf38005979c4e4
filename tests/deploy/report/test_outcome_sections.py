"""Gates and files that are not there have a section of their own, only where there are any."""

from __future__ import annotations

import pytest

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.report.outcome_sections import gates_section, missing_section
from condmix.deploy.report.view import ReportView
from tests.deploy.report.synthetic import full_report

FAILED = GateResult(
    gate="p90>12ms", subject="stock.onnx", outcome=GateOutcome.FAILED, sentence="15.8 ms, not above 12 ms"
)


def _view(**sections: object) -> ReportView:
    return ReportView(full_report(sections=sections))


def test_every_gate_is_a_row() -> None:
    section = gates_section(_view(gates=[FAILED.to_dict()]))
    assert section is not None
    assert section.groups[0].tables[0].rows == (("failed", "p90>12ms", "stock.onnx", "15.8 ms, not above 12 ms"),)


def test_what_could_not_be_built_is_a_row_with_its_reason() -> None:
    section = missing_section(_view(missing={"stock ONNX": {"reason": "torch.onnx refuses it", "rejected": False}}))
    assert section is not None
    assert section.groups[0].tables[0].rows == (("stock ONNX", "torch.onnx refuses it"),)


def test_without_any_there_is_no_section() -> None:
    assert gates_section(_view()) is None
    assert missing_section(_view()) is None


def test_damaged_ones_are_named() -> None:
    with pytest.raises(UnreadableFileError, match=r"sections\.gates\[0\]\.outcome must be a text, found nothing"):
        gates_section(_view(gates=[{"gate": "p90>12ms", "sentence": ""}]))
