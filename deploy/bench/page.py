"""The benchmark's page: tables in Markdown, with what they do and do not say."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from condmix.deploy.bench.costs import ProcessCost
from condmix.deploy.bench.latency import SubjectResult
from condmix.runtime.bootstrap import CONFIDENCE
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.latency_report import Clock

_NOT_SAID = """\
What these figures do not say: anything about another CPU, about more than one thread, about Arm, or about accuracy (the
networks are untrained; their arithmetic is that of trained ones). Milliseconds move with the machine's load; the ratios
come from runs that took turns and hold better."""


def render(
    results: Sequence[SubjectResult],
    costs: Mapping[str, Sequence[ProcessCost]],
    imports: Mapping[str, float],
    machine: CpuFacts,
    command: str,
) -> str:
    """The whole page."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions)
    parts = [
        f"Command: `{command}`",
        f"Machine: {', '.join(machine.model_names) or 'unnamed CPU'}, {machine.architecture}, "
        f"{machine.usable_cores} cores, {', '.join(machine.features)}. {versions}.",
        "One thread, batch 1, CPU time of the computing thread; every file of a network takes its turn in every round. "
        f"Intervals are {CONFIDENCE:.0%} bootstrap intervals of the ratio of medians.",
    ]
    parts.extend(_latency_table(result) for result in results)
    if costs:
        parts.append(_cost_table(costs, imports))
    parts.append(_NOT_SAID)
    return "\n\n".join(parts) + "\n"


def _latency_table(result: SubjectResult) -> str:
    floor = result.report.noise_floor(Clock.CPU)
    known = "unknown" if floor is None else f"{floor:.3f}"
    lines = [
        f"**{result.network}** (a file against itself differs by up to {known}; less than that is no difference)",
        "",
        "| file | median ms | ratio to stock | interval | MB |",
        "|---|---|---|---|---|",
    ]
    for row in result.rows():
        size = row["size_bytes"]
        interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        megabytes = f"{size / 1e6:.1f}" if isinstance(size, int) else ""
        lines.append(
            f"| {row['file']} | {row['median_ms']:.2f} | {row['ratio_to_stock']:.3f} | {interval} | {megabytes} |"
        )
    return "\n".join(lines)


def _cost_table(costs: Mapping[str, Sequence[ProcessCost]], imports: Mapping[str, float]) -> str:
    lines = [
        "**Cost of an export** (condconv_efficientnet_b0_8e from its checkpoint, whole processes in turn, medians)",
        "",
        "| process | seconds | peak GiB | runs |",
        "|---|---|---|---|",
    ]
    for name, runs in costs.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_bytes for run in runs) / 2**30
        lines.append(f"| {name} | {seconds:.1f} | {peak:.2f} | {len(runs)} |")
    lines += ["", "**Start-up** (whole interpreter, median)", "", "| program | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds:.3f} |" for name, seconds in imports.items()]
    return "\n".join(lines)
