"""Several devices in one table: what each file computed there, and its median there; never one time over another."""

from __future__ import annotations

import math

from condmix.deploy.devices.result import DeviceOutcome, DevicesResult
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import SubjectRecord

HEADINGS = ("device", "file", "engine", "median ms", "p90 ms", "max |difference|", "outputs")


def rows(result: DevicesResult) -> list[tuple[str, ...]]:
    """One for each file on each device; one for a device without a report."""
    found: list[tuple[str, ...]] = []
    for one in result.outcomes:
        if one.report is None:
            found.append((one.name, "-", "-", "-", "-", "-", f"failed: {one.step or 'unexpected'}"))
            continue
        for record in one.report.subjects:
            if record.name != one.report.control:
                found.append(_row(one, one.report, record))
    return found


def lines(result: DevicesResult) -> list[str]:
    """The table as text, then each device with its verdict or its failure, in full sentences."""
    table = [HEADINGS, *rows(result)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    found = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    found.append("")
    for one in result.outcomes:
        found.append(_about(one))
    return found


def markdown(result: DevicesResult) -> str:
    """The same as a page."""
    table = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    table += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(result)]
    table[0] = table[0].replace("max |difference|", "max difference")
    about = [f"- {_about(one)}" for one in result.outcomes]
    note = "Times of different devices are listed beside each other and compared nowhere."
    return "\n".join(["# Devices", "", *table, "", note, "", *about, ""])


def _about(one: DeviceOutcome) -> str:
    if one.report is None:
        return str(one.failure)
    machine = "" if one.facts is None else f" ({one.facts.sentence()})"
    return f"{one.name}{machine}: {one.report.verdict.first_line()}"


def _row(one: DeviceOutcome, report: BenchReport, record: SubjectRecord) -> tuple[str, ...]:
    steady = report.steady(record.name)
    agreement = record.agreement
    difference, outputs = "-", "not compared"
    if agreement is not None:
        finite = math.isfinite(agreement.max_abs_difference)
        difference = f"{agreement.max_abs_difference:.3g}" if finite else "not finite"
        outputs = "right" if agreement.passed else "WRONG"
    if record.failure is not None:
        outputs = "lost"
    return (
        one.name,
        record.name,
        f"{record.subject.engine} {record.engine_version}".strip(),
        "-" if steady is None else f"{steady.median_ns / 1e6:.3f}",
        "-" if steady is None or steady.p90_ns is None else f"{steady.p90_ns / 1e6:.3f}",
        difference,
        outputs,
    )
