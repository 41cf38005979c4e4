"""The run as JUnit XML, the form that most continuous integration servers show: one case a subject and one a gate."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from condmix.deploy.measure.gate_result import GateOutcome, GateResult

SUITE = "condmix bench"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no form for, such as the escape sequences that an engine may print."""


@dataclass(frozen=True, kw_only=True)
class MeasuredCase:
    """A subject: the seconds spent in its timed runs, its figures in words, and why it failed, None if it did not."""

    name: str
    seconds: float
    figures: str
    failure: str | None


def junit_xml(
    cases: Sequence[MeasuredCase], gates: Sequence[GateResult], properties: Mapping[str, str], *, created: str
) -> bytes:
    """The document in UTF-8. created: ISO time. Gates that fail and those that cannot be judged are failures; a
    subject that could not be measured is an error."""
    errors = sum(case.failure is not None for case in cases)
    failures = sum(result.fails for result in gates)
    seconds = sum(case.seconds for case in cases)
    counts = {
        "name": SUITE,
        "tests": str(len(cases) + len(gates)),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": "0",
        "time": f"{seconds:.3f}",
        "timestamp": _clean(created),
    }
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", counts)
    listed = ET.SubElement(suite, "properties")
    for name, value in properties.items():
        ET.SubElement(listed, "property", {"name": _clean(name), "value": _clean(value)})
    for case in cases:
        element = _case(suite, "measured", case.name, f"{case.seconds:.3f}")
        if case.failure is not None:
            _fault(element, "error", "subject failed", case.failure)
        ET.SubElement(element, "system-out").text = _clean(case.figures)
    for result in gates:
        name = result.gate if result.subject is None else f"{result.gate} [{result.subject}]"
        element = _case(suite, "gates", name, "0")
        if result.outcome is GateOutcome.PASSED:
            ET.SubElement(element, "system-out").text = _clean(result.sentence)
        else:
            _fault(element, "failure", str(result.outcome), result.sentence)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, group: str, name: str, seconds: str) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", {"classname": f"condmix.bench.{group}", "name": _clean(name), "time": seconds}
    )


def _fault(case: ET.Element, tag: str, kind: str, text: str) -> None:
    """The first line as the message, all of it as the body."""
    ET.SubElement(case, tag, {"type": kind, "message": _clean(text.partition("\n")[0])}).text = _clean(text)


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
