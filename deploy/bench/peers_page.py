"""The page of `make bench-peers`: tables in Markdown, with what they do and do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.deploy.bench.peers_measure import MeasuredRow, Measurement
from condmix.deploy.bench.peers_rows import CONVERTER, FLOAT32, OURS, STOCK, TWIN, TWIN_LITERT
from condmix.runtime.bench.statistics import Ratio
from condmix.runtime.bench.subject import LITERT
from condmix.runtime.bootstrap import CONFIDENCE
from condmix.runtime.cpu import CpuFacts

_COLUMNS = (
    "file, runtime",
    "weights",
    "median ms",
    "CPU ms",
    f"ratio to {STOCK.split(',')[0]}",
    "interval",
    "difference",
)
_OURS_COLUMNS = ("file, runtime", "to its static twin", "to the best peer", "to litert-torch")
_NOT_SAID = """\
What these figures do not say: anything about Arm, another CPU, accelerators, memory, or accuracy
(the networks are untrained; their arithmetic is that of trained ones). Other settings of the peers may be faster.
Milliseconds move with the machine's load; the ratios come from runs that took turns and hold better."""


def render(
    results: Sequence[Measurement], machine: CpuFacts, versions: Mapping[str, str], commands: Sequence[str]
) -> str:
    """The whole page."""
    parts = [
        "\n".join(f"Command: `{command}`" for command in commands),
        f"Machine: {', '.join(machine.model_names) or 'unnamed CPU'}, {machine.architecture}, "
        f"{machine.usable_cores} cores, {', '.join(machine.features)}. "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        "Batch 1. Every row is a process of its own with its file open, or several in turn; rows take turns in "
        "shuffled rounds, each a few timed runs after one that is not, and only one computes at a time. On one thread "
        "every process is bound to "
        "the same core from its start; on two they may use all. Threads are set in each engine: intra_op_num_threads, "
        "INFERENCE_NUM_THREADS, numThread, ExecuTorch's thread pool, num_threads. Times are wall time; CPU ms is that "
        f"of all threads of the process. Intervals are {CONFIDENCE:.0%} bootstrap intervals of the ratio of medians.",
        "Difference: the largest from PyTorch in float64 over several images, relative to its largest output. A float "
        "row beyond what our TFLite exports are held to is wrong and not timed; rounded weights move an untrained "
        "network as they do.",
    ]
    for result in results:
        parts += _tables(result)
    parts.append(_NOT_SAID)
    return "\n\n".join(parts) + "\n"


def best_peer(result: Measurement) -> MeasuredRow | None:
    """The fastest right float32 row of a peer; None without any."""
    peers = [row for row in result.rows if row.row.is_peer and row.is_measured and row.row.weights == FLOAT32]
    return min(peers, key=MeasuredRow.median_ms, default=None)


def _tables(result: Measurement) -> list[str]:
    threads = result.settings.threads
    floor = result.noise_floor()
    known = "unknown" if floor is None else f"{floor:.3f}"
    title = (
        f"**{result.network}, {threads} {'thread' if threads == 1 else 'threads'}** (a file against itself differs by "
        f"up to {known}; less than that is no difference)"
    )
    measured = sorted((row for row in result.rows if row.is_measured), key=MeasuredRow.median_ms)
    parts = ["\n".join([title, "", *_table(_COLUMNS, [_cells(result, row) for row in measured])])]
    ours = [row for row in measured if row.row.name.startswith(OURS)]
    if ours:
        parts.append("\n".join(_table(_OURS_COLUMNS, [_our_cells(result, row) for row in ours])))
    lost = [f"- {row.row.name}: {row.failure}" for row in result.rows if not row.is_measured]
    if lost:
        parts.append("\n".join(["Not ranked:", "", *lost]))
    return parts


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def _cells(result: Measurement, row: MeasuredRow) -> list[str]:
    ratio = result.ratio(row, result.rows[0]) if result.rows[0].is_measured else None
    return [
        row.row.name,
        row.row.weights,
        f"{row.median_ms():.2f}",
        f"{row.median_ms('cpu_ns'):.2f}",
        "" if ratio is None or ratio.ratio is None else f"{ratio.ratio:.3f}",
        _interval(ratio),
        "" if row.difference is None else f"{row.difference:.1e}",
    ]


def _our_cells(result: Measurement, row: MeasuredRow) -> list[str]:
    by_name = {one.row.name: one for one in result.rows if one.is_measured}
    twin = by_name.get(TWIN_LITERT if row.row.engine == LITERT else TWIN)
    best = best_peer(result)
    named = "" if best is None else f", {best.row.name}"
    return [
        row.row.name,
        _against(result, row, twin),
        _against(result, row, best) + named,
        _against(result, row, by_name.get(CONVERTER)),
    ]


def _against(result: Measurement, row: MeasuredRow, other: MeasuredRow | None) -> str:
    if other is None:
        return ""
    ratio = result.ratio(row, other)
    return "" if ratio.ratio is None else f"{ratio.ratio:.3f} ({_interval(ratio)})".replace(" ()", "")


def _interval(ratio: Ratio | None) -> str:
    return "" if ratio is None or ratio.low is None or ratio.high is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
