"""JUnit XML: well formed whatever the names are, and the counts are those of the cases."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from condmix.deploy.measure.gate_result import GateOutcome, GateResult
from condmix.deploy.measure.junit import MeasuredCase, junit_xml


def _gate(outcome: GateOutcome, *, subject: str | None = "net", sentence: str = "13.00 ms") -> GateResult:
    return GateResult(gate="p90>12ms", subject=subject, outcome=outcome, sentence=sentence)


def _case(name: str = "net", failure: str | None = None) -> MeasuredCase:
    return MeasuredCase(name=name, seconds=2.5, figures="median 11.00 ms", failure=failure)


def _suite(*arguments: object) -> ET.Element:
    suite = ET.fromstring(junit_xml(*arguments, created="2026-11-22T04:00:00+00:00")).find("testsuite")  # type: ignore[arg-type]
    assert suite is not None
    return suite


def test_one_case_a_subject_and_one_a_gate() -> None:
    gates = [_gate(GateOutcome.PASSED), _gate(GateOutcome.FAILED), _gate(GateOutcome.NOT_JUDGED, subject=None)]
    suite = _suite([_case(), _case("other", "its process died\nsignal 11")], gates, {"verdict": "VALID"})
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time", "timestamp")}
    assert counts == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
        "time": "5.000",
        "timestamp": "2026-11-22T04:00:00+00:00",
    }
    cases = [(case.get("classname"), case.get("name"), [one.tag for one in case]) for case in suite.iter("testcase")]
    assert cases == [
        ("condmix.bench.measured", "net", ["system-out"]),
        ("condmix.bench.measured", "other", ["error", "system-out"]),
        ("condmix.bench.gates", "p90>12ms [net]", ["system-out"]),
        ("condmix.bench.gates", "p90>12ms [net]", ["failure"]),
        ("condmix.bench.gates", "p90>12ms", ["failure"]),
    ]
    error = suite.find(".//error")
    assert error is not None
    assert (error.get("message"), error.text) == ("its process died", "its process died\nsignal 11")
    assert [fault.get("type") for fault in suite.iter("failure")] == ["failed", "cannot be judged"]
    assert [(one.get("name"), one.get("value")) for one in suite.iter("property")] == [("verdict", "VALID")]


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_name_and_any_text_give_a_well_formed_document(name: str, text: str) -> None:
    suite = _suite([_case(name, text)], [_gate(GateOutcome.FAILED, subject=name, sentence=text)], {name: text})
    assert len(list(suite.iter("testcase"))) == 2


def test_markup_in_a_name_stays_text_and_what_xml_cannot_hold_is_marked() -> None:
    suite = _suite([_case('<a href="x">&amp;\x1b[31m')], [], {})
    case = suite.find("testcase")
    assert case is not None
    assert case.get("name") == '<a href="x">&amp;\ufffd[31m'
