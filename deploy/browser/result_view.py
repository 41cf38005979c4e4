"""What the phone's own screen shows in the end: the verdict, a row for each subject, and what the browser is."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.deploy.browser.assemble import MISSING_SECTION
from condmix.deploy.browser.facts import BrowserFacts
from condmix.deploy.report.numbers import milliseconds
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import SubjectRecord
from condmix.runtime.bench.verdict import Judgement

COLUMNS = ("", "median", "95 % interval", "p90", "first", "load", "runs", "outputs")
_STATES = {
    Judgement.VALID: "good",
    Judgement.NOISY: "doubt",
    Judgement.THROTTLED: "doubt",
    Judgement.TOO_SHORT: "doubt",
    Judgement.EMULATED: "doubt",
}
CONTROL_NOTE = "the first once more: what the two differ by is noise"


def result_view(report: BenchReport, facts: BrowserFacts) -> dict[str, object]:
    """Plain texts for the page; nothing is computed there any more."""
    verdict = report.verdict
    rows = [_row(report, one) for one in report.subjects]
    missing = report.sections.get(MISSING_SECTION, {})
    assert isinstance(missing, Mapping)
    rows += [
        {"name": name, "cells": [], "state": "", "note": f"not measured: {one['reason']}"}
        for name, one in missing.items()
    ]
    return {
        "state": _STATES.get(verdict.judgement, "bad"),
        "verdict": str(verdict.judgement),
        "reason": _sentence(verdict.reason),
        "findings": [f"{one.verdict}: {one.reason}" for one in verdict.findings[1:]],
        "columns": list(COLUMNS),
        "rows": rows,
        "facts": [
            ["browser", facts.sentence()],
            ["threads", "offered" if facts.cross_origin_isolated else "not offered: the page is not isolated"],
            ["WebGPU", facts.webgpu_adapter or f"not offered: {facts.webgpu_missing}"],
            ["steps of the clock", _with_unit(facts.clock_step_ns)],
            ["power", facts.power or "not told"],
            ["user agent", facts.user_agent],
        ],
    }


def _row(report: BenchReport, record: SubjectRecord) -> dict[str, object]:
    steady = report.steady(record.name)
    first = record.openings[0] if record.openings else None
    if steady is None:
        figures = ["", "", ""]
    else:
        low, high = steady.median_low_ns, steady.median_high_ns
        interval = (
            "too few rounds" if low is None or high is None else f"{milliseconds(low)} to {milliseconds(high)} ms"
        )
        p90 = "needs 100 runs" if steady.p90_ns is None else _with_unit(steady.p90_ns)
        figures = [_with_unit(steady.median_ns), interval, p90]
    agreement = record.agreement
    outputs = "not compared" if agreement is None else "right" if agreement.passed else "wrong"
    faults = [] if record.failure is None else [f"failed: {record.failure}"]
    if agreement is not None and not agreement.passed:
        faults.append(agreement.detail)
    notes = faults or ([CONTROL_NOTE] if record.name == report.control else [])
    return {
        "name": record.name,
        "cells": [
            *figures,
            "" if first is None else _with_unit(first.first_inference_ns),
            "" if first is None else _with_unit(first.load_ns),
            str(len(record.samples)),
            outputs,
        ],
        "state": "bad" if faults else "",
        "note": "; ".join(notes) or None,
    }


def _with_unit(value_ns: float) -> str:
    return f"{milliseconds(value_ns)} ms"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
