"""Reports of emulated machines: numerics stay, times go, from every output."""

from __future__ import annotations

import json
from dataclasses import replace

from condmix.deploy.devices.withheld import without_latency
from condmix.deploy.report.write import rendered
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from tests.runtime.bench.reports import AGREEMENT, make_report


def withheld() -> BenchReport:
    return without_latency(make_report(), "cortex-a53 under qemu-aarch64")


def test_the_first_line_says_emulated_and_nothing_has_a_time():
    report = withheld()
    assert "EMULATED cortex-a53 under qemu-aarch64" in report.verdict.first_line()
    assert not report.verdict.is_valid
    assert report.rounds == 0
    for name in report.subject_names:
        assert report.steady(name) is None
        assert report.subject(name).openings == ()
        assert len(report.subject(name).samples) == 0
        assert report.subject(name).agreement == AGREEMENT
    assert BenchReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_sections_with_times_are_gone_too():
    report = replace(make_report(), sections={"batch_curve": {"1": 12.5}})
    assert without_latency(report, "x").sections == {}


def test_every_page_says_so_and_shows_no_figure():
    measured, pages = rendered(make_report()), rendered(withheld())
    assert "1.000" in measured["report.md"], "the figure that must not be seen is one that is seen otherwise"
    for name in ("report.html", "report.md"):
        assert "EMULATED" in pages[name]
        assert "1.000 ms" not in pages[name]
    assert len(pages["samples.csv"].splitlines()) < len(measured["samples.csv"].splitlines())


def test_wrong_outputs_and_losses_are_still_told_first():
    report = make_report()
    lost = replace(report.subjects[1], failure="killed by the system")
    wrong = Verdict(findings=(Finding(verdict=Judgement.UNVERIFIED, reason="'a' does not compute it"),))
    found = without_latency(
        replace(report, verdict=wrong, subjects=(report.subjects[0], lost, report.subjects[2])), "x"
    )
    assert found.verdict.first_line().startswith("UNVERIFIED: EMULATED x, numerics only")
    assert "'a' does not compute it" in found.verdict.first_line()
    assert "'half' was lost: killed by the system" in [one.reason for one in found.verdict.findings]
