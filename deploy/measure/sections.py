"""What else a finished report tells: input dependence, batch curve, what runs in int8, routing, profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from condmix.deploy.compare.routing_section import routing_section
from condmix.deploy.measure.int8_use import int8_use
from condmix.runtime.bench.batch_curve import batch_curve
from condmix.runtime.bench.input_dependence import input_dependence

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.signature import Tensor

INTERRUPTED = "interrupted by Ctrl-C after the measurement, which is complete: {missing} was left out"


def with_sections(
    report: BenchReport, wanted: Mapping[str, Callable[[BenchReport], object]], say: Callable[[str], None]
) -> BenchReport:
    """The report with every section of `wanted` that has something to say, name -> how to make it.

    Ctrl-C leaves out the section that is being made and those after it, and says so in `interrupted`.
    """
    if report.interrupted is not None:
        return report
    made = dict(report.sections)
    for name, make in wanted.items():
        say(name.replace("_", " "))
        try:
            content = make(report)
        except KeyboardInterrupt:
            reason = INTERRUPTED.format(missing=name.replace("_", " "))
            return dataclasses.replace(report, sections=made, interrupted=reason)
        if content:
            made[name] = content
    return dataclasses.replace(report, sections=made)


ALWAYS: Mapping[str, Callable[[BenchReport], object]] = {
    "input_dependence": input_dependence,
    "batch_curve": batch_curve,
    "int8": int8_use,
}
"""Made for every report: of the samples alone, or in a second a file."""


def known_routing(report: BenchReport, images: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, object]:
    """The section `routing`, on the images that were fed; empty where no file shows any routing."""
    section = routing_section(report, images)
    shown = [one for one in section.values() if isinstance(one, Mapping) and one.get("blocks")]
    return section if shown else {}
