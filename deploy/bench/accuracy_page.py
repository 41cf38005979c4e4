"""The page about accuracy: a table for each network in Markdown, goals met and missed, and what it does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from condmix.deploy.bench.accuracy_files import ONNX_BANKS, ONNX_INT8, TFLITE_BANKS, TFLITE_INT8
from condmix.deploy.bench.accuracy_scores import AccuracyRow
from condmix.runtime.cpu import CpuFacts

MOST_DROP_POINTS = 0.5
LEAST_AGREEMENT = 0.99
"""Of the ONNX and the TFLite file with each other."""
MOST_SIZE = {ONNX_INT8: 0.28, TFLITE_INT8: 0.28, ONNX_BANKS: 0.35, TFLITE_BANKS: 0.35}
"""Of the float32 weights, by file; ours are those that have goals."""
ROUNDING = 1e-9

_COLUMNS = ("file", "top-1", "drop", "same answer, held out", "same answer, many", "SQNR", "size", "goals")
_NOT_SAID = """\
What these figures do not say: anything about photographs or a thousand classes (these are digits), or about another CPU
than this one: ONNX files were run here and are of the target `auto`, which is to give the same results on every CPU. A
digit of the 360 held-out ones is 0.28 points."""


@dataclass(frozen=True, kw_only=True)
class NetworkAccuracy:
    """One network. agreement_held_out, agreement_many: of our ONNX and TFLite int8 files with each other.

    tool_versions: of what wrote files in another environment.
    """

    network: str
    command: str
    """That trains it."""
    float_top1: float
    float_size_bytes: int
    agreement_held_out: float | None
    agreement_many: float | None
    rows: tuple[AccuracyRow, ...]
    tool_versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ImageCounts:
    """How many digits everything was measured on."""

    calibration: int
    held_out: int
    many: int


def render(
    results: Sequence[NetworkAccuracy],
    counts: ImageCounts,
    machine: CpuFacts,
    versions: Mapping[str, str],
    command: str,
) -> str:
    """The whole page."""
    parts = [
        f"Command: `{command}`",
        f"Machine: {', '.join(machine.model_names) or 'unnamed CPU'}, {machine.architecture}, "
        f"{', '.join(machine.features)}. " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        f"All tools calibrate on the same {counts.calibration} training digits. Top-1 and its drop, in points, are on "
        f"{counts.held_out} digits that were held out; `same answer` is the share of images for which a file names the "
        f"class that the float network names, there and on {counts.many} pictures: all training digits, as they are "
        "and shifted. SQNR is the median over the held-out ones, size the share of the float32 weights. Every file is "
        "run by its own engine, an image a call.",
    ]
    parts.extend(_network(result) for result in results)
    parts.append(_NOT_SAID)
    return "\n\n".join(parts) + "\n"


def goals_of(row: AccuracyRow) -> str:
    """Met and missed, in words; empty for files of others."""
    most_size = MOST_SIZE.get(row.name)
    if most_size is None or row.drop_points is None or row.size_ratio is None:
        return ""
    verdicts = [
        f"{what} {'met' if met else 'missed'}"
        for what, met in (
            (f"drop at most {MOST_DROP_POINTS:g}", row.drop_points <= MOST_DROP_POINTS + ROUNDING),
            (f"size at most {most_size:g}", row.size_ratio <= most_size),
        )
    ]
    return ", ".join(verdicts)


def _network(result: NetworkAccuracy) -> str:
    lines = [
        f"**{result.network}**: {result.float_top1:.2%} in float, {result.float_size_bytes / 1e6:.1f} MB. "
        f"Trained by `{result.command}`.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|" + "---|" * len(_COLUMNS),
        *(f"| {' | '.join(_cells(row))} |" for row in result.rows),
    ]
    if result.agreement_held_out is not None and result.agreement_many is not None:
        met = min(result.agreement_held_out, result.agreement_many) >= LEAST_AGREEMENT
        lines += [
            "",
            f"The ONNX and the TFLite int8 file name the same class on {result.agreement_held_out:.2%} of the held-out "
            f"digits and on {result.agreement_many:.2%} of the many (goal: at least {LEAST_AGREEMENT:.0%}: "
            f"{'met' if met else 'missed'}).",
        ]
    return "\n".join(lines)


def _cells(row: AccuracyRow) -> tuple[str, ...]:
    size = "" if row.size_ratio is None else f"{row.size_ratio:.3f}"
    if row.top1 is None:
        return row.name, *[""] * 5, size, row.remark
    goals = "; ".join(text for text in (goals_of(row), row.remark) if text)
    return (
        row.name,
        f"{row.top1:.2%}",
        # Minus nothing is nothing.
        f"{row.drop_points or 0.0:.2f}",
        f"{row.agreement_held_out:.2%}",
        f"{row.agreement_many:.2%}",
        f"{row.sqnr_db:.1f} dB",
        size,
        goals,
    )
