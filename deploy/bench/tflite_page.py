"""The page of the TFLite benchmark: tables in Markdown, with what they do and do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.deploy.bench.tflite_latency import OPENINGS, TfliteResult, TfliteRow
from condmix.deploy.bench.tflite_subjects import CONVERSION_GOAL_SECONDS, CONVERTER
from condmix.runtime.bootstrap import CONFIDENCE
from condmix.runtime.cpu import CpuFacts

_NOT_SAID = """\
What these figures do not say: anything about Arm (nothing was run there), about another CPU, about GPUs or other
accelerators, about more than one thread, about memory, or about accuracy (the networks are untrained; their arithmetic
is that of trained ones, the effect of smaller experts on a trained network is not). Milliseconds move with the
machine's load; the ratios come from runs that took turns and hold better."""

_SPEED_COLUMNS = ("file", "median ms", "ratio to litert-torch", "interval", "goal")
_FILE_COLUMNS = ("file", "MB", "size ratio", "goal", "difference", "conversion s")


def render(
    results: Sequence[TfliteResult], machine: CpuFacts, versions: Mapping[str, str], command: str, rounds: int
) -> str:
    """The whole page."""
    parts = [
        f"Command: `{command}`",
        f"Machine: {', '.join(machine.model_names) or 'unnamed CPU'}, {machine.architecture}, "
        f"{machine.usable_cores} cores, {', '.join(machine.features)}. "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        "LiteRT with its XNNPACK delegate, one thread, batch 1, CPU time of the computing thread; every file of a "
        f"network is opened {OPENINGS} times, and each opening takes its turn in every round. Intervals are "
        f"{CONFIDENCE:.0%} bootstrap intervals of the ratio of medians.",
        "Difference: the largest from PyTorch's output over several images, relative to its largest output; a float32 "
        "file beyond what exports are held to is not measured; rounded weights move an untrained network as they do. "
        "Conversion, in CPU seconds: ours as capturing the network with torch + "
        f"writing the file, the median of {rounds}; litert-torch's as a whole, once, in a fresh process and without "
        "its import; of int8 files what comes after the float graph or file. The goal of at most "
        f"{CONVERSION_GOAL_SECONDS:.0f} s is for writing the float file. Int8: weights and activations, calibrated on "
        "the same images; on untrained networks its difference says nothing of accuracy.",
    ]
    for result in results:
        parts += [_speed_table(result), _file_table(result)]
        parts += [f"{name}: not measured. {reason}" for name, reason in result.missing.items()]
    parts.append(_NOT_SAID)
    return "\n\n".join(parts) + "\n"


def _speed_table(result: TfliteResult) -> str:
    known = "unknown" if result.noise_floor is None else f"{result.noise_floor:.3f}"
    title = f"**{result.network}** (a file against itself differs by up to {known}; less than that is no difference)"
    return "\n".join([title, "", *_table(_SPEED_COLUMNS, [_speed_cells(row) for row in result.rows])])


def _file_table(result: TfliteResult) -> str:
    return "\n".join(_table(_FILE_COLUMNS, [_file_cells(row) for row in result.rows]))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def _speed_cells(row: TfliteRow) -> list[str]:
    return [
        row.name,
        f"{row.median_ms:.2f}",
        "" if row.ratio is None else f"{row.ratio:.3f}",
        "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}",
        _time_goal(row),
    ]


def _file_cells(row: TfliteRow) -> list[str]:
    return [
        row.name,
        f"{row.size_bytes / 1e6:.1f}",
        f"{row.size_ratio:.3f}",
        _goal(row.size_goal, row.size_ratio, "{:.3f}"),
        f"{row.difference:.1e}",
        _seconds(row),
    ]


def _time_goal(row: TfliteRow) -> str:
    if row.time_goal is None or row.goal_against == CONVERTER:
        return _goal(row.time_goal, row.ratio, "{:.2f}")
    found = "" if row.goal_ratio is None else f" ({row.goal_ratio:.3f})"
    return f"{_goal(row.time_goal, row.goal_ratio, '{:.2f}')}{found}, against {row.goal_against}"


def _goal(goal: float | None, found: float | None, pattern: str) -> str:
    """Empty without a goal."""
    if goal is None:
        return ""
    verdict = "not measured" if found is None else "met" if found <= goal else "missed"
    return f"at most {pattern.format(goal)}: {verdict}"


def _seconds(row: TfliteRow) -> str:
    if row.capture_seconds is None:  # litert-torch as a whole, int8 without the float part: no goal
        return f"{row.write_seconds:.1f}"
    slow = "" if row.write_seconds <= CONVERSION_GOAL_SECONDS else f" (goal of {CONVERSION_GOAL_SECONDS:.0f}: missed)"
    return f"{row.capture_seconds:.1f} + {row.write_seconds:.1f}{slow}"
