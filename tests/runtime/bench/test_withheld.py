"""Reports of emulated machines: numerics stay, times go."""

from __future__ import annotations

import json
from dataclasses import replace

from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.verdict import Judgement
from condmix.runtime.bench.withheld import without_latency
from tests.runtime.bench.reports import AGREEMENT, make_report

SAID = "cortex-a53 under qemu-aarch64, numerics only: every time is withheld, since it says nothing about a real one"


def test_the_verdict_is_emulated_and_nothing_has_a_time():
    report = without_latency(make_report(), "cortex-a53 under qemu-aarch64")
    assert report.verdict.first_line() == f"EMULATED: {SAID}"
    assert report.verdict.is_emulated
    assert not report.verdict.is_valid
    assert report.rounds == 0
    for name in report.subject_names:
        assert report.steady(name) is None
        assert report.subject(name).openings == ()
        assert len(report.subject(name).samples) == 0
        assert report.subject(name).agreement == AGREEMENT
    assert BenchReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_second_time_only_the_machine_is_another():
    once = without_latency(make_report(), "aarch64 CPU")
    assert without_latency(once, "cortex-a53") == without_latency(make_report(), "cortex-a53")
    assert once.verdict.reason.startswith("aarch64 CPU, numerics only")


def test_sections_with_times_are_gone_too():
    report = replace(make_report(), sections={"batch_curve": {"1": 12.5}})
    assert without_latency(report, "x").sections == {}


def test_wrong_outputs_come_first_and_losses_are_told():
    report = make_report()
    wrong = replace(report.subjects[0], agreement=replace(AGREEMENT, passed=False, detail="largest difference 3"))
    lost = replace(report.subjects[1], failure="killed by the system")
    found = without_latency(replace(report, subjects=(wrong, lost, report.subjects[2])), "x").verdict
    assert found.first_line() == (
        "UNVERIFIED: 'a' does not compute what its reference says: largest difference 3 (also EMULATED, TOO SHORT)"
    )
    assert [one.verdict for one in found.findings] == [Judgement.UNVERIFIED, Judgement.EMULATED, Judgement.TOO_SHORT]
    assert found.findings[2].reason == "'half' was lost: killed by the system"
