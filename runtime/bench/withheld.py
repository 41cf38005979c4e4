"""A report of an emulated machine: what it computes is kept, how long it took is not."""

from __future__ import annotations

import dataclasses

from condmix.runtime.bench.judge import emulated
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples


def without_latency(report: BenchReport, machine: str) -> BenchReport:
    """The report without a single time: no samples, no openings, no rounds, no sections; its verdict is EMULATED.

    machine: in words, such as "cortex-a53 under qemu". What is compared with the reference stays, and so do failures.
    """
    return dataclasses.replace(
        report,
        subjects=tuple(dataclasses.replace(one, openings=(), samples=Samples()) for one in report.subjects),
        rounds=0,
        verdict=emulated(report, machine),
        sections={},
    )
