"""Annotations that GitHub's runner reads back as they were meant, and the job's summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.measure.errors import PlaceError
from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.github import SUMMARY_VARIABLE, annotation, annotation_lines, append_summary


def test_what_the_runner_would_take_for_its_own_marks_is_escaped() -> None:
    line = annotation("error", "p90>12ms: a, b", "5 % slower\r\nthan: 1,2\n::error::no")
    assert line == "::error title=p90>12ms%3A a%2C b::5 %25 slower%0D%0Athan: 1,2%0A::error::no"
    assert "\n" not in line


def test_a_line_for_each_finding_failure_and_gate() -> None:
    gates = [
        GateResult(gate="p90>12ms", subject="net", outcome=GateOutcome.FAILED, sentence="13.00 ms"),
        GateResult(gate="p90>12ms", subject="net", outcome=GateOutcome.NOT_JUDGED, sentence="60 runs"),
        GateResult(gate="verdict!=VALID", subject=None, outcome=GateOutcome.PASSED, sentence="VALID"),
    ]
    assert annotation_lines([("NOISY", "5 % apart"), ("VALID", "all met")], {"other": "it died"}, gates) == [
        "::warning title=condmix bench%3A NOISY::5 %25 apart",
        "::notice title=condmix bench%3A VALID::all met",
        "::error title=condmix bench%3A other failed::it died",
        "::error title=p90>12ms for net failed::13.00 ms",
        "::error title=p90>12ms for net cannot be judged::60 runs",
        "::notice title=verdict!=VALID passed::VALID",
    ]


def test_the_summary_grows_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv(SUMMARY_VARIABLE, str(path))
    assert append_summary("| a |\n") == path
    assert append_summary("second") == path
    assert path.read_text() == "before\n| a |\n\nsecond\n\n"


def test_outside_github_there_is_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SUMMARY_VARIABLE, raising=False)
    assert append_summary("text") is None


def test_a_summary_that_takes_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SUMMARY_VARIABLE, str(tmp_path / "missing" / "summary.md"))
    with pytest.raises(PlaceError, match=r"summary\.md: cannot be written: No such .* named by GITHUB_STEP_SUMMARY"):
        append_summary("text")
