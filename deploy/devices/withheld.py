"""A report of an emulated machine: what it computes is kept, how long it took is not."""

from __future__ import annotations

import dataclasses

from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict


def without_latency(report: BenchReport, machine: str) -> BenchReport:
    """The report without a single time: no samples, no openings, no rounds; its first line says EMULATED.

    machine: in words, such as "cortex-a53 under qemu". What is compared with the reference stays, and so do failures.
    """
    said = f"EMULATED {machine}, numerics only: every time is withheld, since it says nothing about a real one"
    wrong = [one for one in report.verdict.findings if one.verdict is Judgement.UNVERIFIED]
    lost = [
        Finding(verdict=Judgement.TOO_SHORT, reason=f"{one.name!r} was lost: {one.failure}")
        for one in report.subjects
        if one.failure is not None
    ]
    if wrong:
        first = [dataclasses.replace(wrong[0], reason=f"{said}; {wrong[0].reason}"), *wrong[1:], *lost]
    else:
        first = [Finding(verdict=Judgement.TOO_SHORT, reason=said), *lost]
    return dataclasses.replace(
        report,
        subjects=tuple(dataclasses.replace(one, openings=(), samples=Samples()) for one in report.subjects),
        rounds=0,
        verdict=Verdict(findings=tuple(first)),
        sections={},
    )
