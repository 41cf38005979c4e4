"""What an audit found, for people: lines and the rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from condmix.runtime.audit.islands import FloatIsland
from condmix.runtime.audit.report import Audit, int8_share_of_bytes, percent
from condmix.runtime.audit.vocabulary import Arithmetic, RoundTrip

ISLAND_COLUMNS = ("float island", "operators", "multiply-adds", "time", "why", "what to do")
ELEMENTWISE_COLUMNS = ("float operators", "places", "time", "why", "what to do")
OPERATOR_COLUMNS = ("operator", "runs as", "nodes", "multiply-adds", "time")
NUMBERS = ("multiply-adds", "time", "places", "nodes")
MOST_ROWS = 20
MOST_PLACES = 3
ROUND_TRIP_WORDS = {
    RoundTrip.NEEDLESS: "the pair can go",
    RoundTrip.RESCALED: "give both sides one scale",
    RoundTrip.AROUND_MOVEMENT: "move the integers themselves",
    RoundTrip.BETWEEN_FLOAT: "costs time and accuracy for nothing",
}


def heading(audit: Audit, size: str) -> str:
    """The file, its size in words, and in what it was run."""
    threads = f"{audit.threads} thread{'' if audit.threads == 1 else 's'}"
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in audit.input_shapes.items())
    runs = f", {audit.runs} runs" if audit.runs else ""
    return f"{audit.file}  {size}  {audit.engine} {audit.engine_version}, {threads}{runs}  input: {shapes}"


def island_rows(audit: Audit) -> list[tuple[str, ...]]:
    """One row for each island that multiplies, the largest first."""
    return [
        (
            places(island.where),
            counted(dict(island.operators)),
            percent(island.multiply_adds / audit.multiply_adds),
            _time(audit, [island]),
            reason(island),
            island.advice,
        )
        for island in audit.multiplying_islands
    ]


def elementwise_rows(audit: Audit) -> list[tuple[str, ...]]:
    """Islands that do not multiply, those of the same operators and reason in one row, the longest time first."""
    groups: dict[tuple[str, str, str], list[FloatIsland]] = {}
    for island in audit.islands:
        if not island.multiply_adds:
            key = (counted(dict(island.operators)), reason(island), island.advice)
            groups.setdefault(key, []).append(island)
    ordered = sorted(groups.items(), key=lambda item: -sum(one.time_us or 0.0 for one in item[1]))
    return [
        (operators, str(len(islands)), _time(audit, islands), why, advice)
        for (operators, why, advice), islands in ordered
    ]


def operator_rows(audit: Audit) -> list[tuple[str, ...]]:
    """One row for each operator, the longest time first, then the most multiply-adds."""
    total_us = sum(node.time_us or 0.0 for node in audit.nodes)
    return [
        (
            one.operator,
            str(one.arithmetic).replace("_", " "),
            str(one.number),
            percent(one.multiply_adds / audit.multiply_adds) if one.multiply_adds else "",
            percent((one.time_us or 0.0) / total_us) if total_us else "",
        )
        for one in audit.operators
    ]


def summary_lines(audit: Audit) -> list[str]:
    """Everything else, a fact a line."""
    lines = []
    if audit.runs:
        shares = {kind: audit.share_of_time(kind) or 0.0 for kind in Arithmetic}
        told = [f"{str(kind).replace('_', ' ')} {percent(share)}" for kind, share in shares.items() if share]
        lines.append("time: " + ", ".join(told))
    lines.append(f"boundary: {_boundary(audit)}")
    lines += [f"round trips: {number} x {kind}: {ROUND_TRIP_WORDS[kind]}" for kind, number in audit.round_trips.items()]
    if audit.outside_delegate:
        lines.append(f"in integers, but outside the delegate: {counted(dict(audit.outside_delegate))}")
    lines.append("bytes: " + "; ".join(_bytes(audit)))
    lines += [f"note: {note}" for note in audit.notes]
    return lines


def shortened(rows: Sequence[tuple[str, ...]], *, in_detail: bool) -> tuple[Sequence[tuple[str, ...]], str | None]:
    """The first rows, and a line that tells how many are left out."""
    if in_detail or len(rows) <= MOST_ROWS:
        return rows, None
    return rows[:MOST_ROWS], f"and {len(rows) - MOST_ROWS} more, smaller ones (all with --verbose)"


def without_empty(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """The columns of which some row has a cell with text."""
    kept = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return [columns[place] for place in kept], [tuple(row[place] for place in kept) for row in rows]


def reason(island: FloatIsland) -> str:
    """Why it runs in float, with the detail where there is one."""
    return f"{island.reason}: {island.detail}" if island.detail else str(island.reason)


def places(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MOST_PLACES
    return ", ".join(names[:MOST_PLACES]) + (f" and {more} more" if more > 0 else "")


def counted(numbers: Mapping[str, int]) -> str:
    """Conv x3, Add: the most frequent first."""
    ordered = Counter(numbers).most_common()
    shown = [f"{name} x{number}" if number > 1 else name for name, number in ordered]
    return places(shown) if len(shown) > 2 * MOST_PLACES else ", ".join(shown)


def _time(audit: Audit, islands: Iterable[FloatIsland]) -> str:
    total_us = sum(node.time_us or 0.0 for node in audit.nodes)
    return percent(sum(island.time_us or 0.0 for island in islands) / total_us) if total_us else ""


def _boundary(audit: Audit) -> str:
    number = audit.boundary_nodes
    if not number:
        return "no quantise/dequantise nodes in the graph that runs"
    text = f"{number} quantise/dequantise node{'' if number == 1 else 's'} in the graph that runs"
    if audit.constant_dequantizers:
        text += f", {audit.constant_dequantizers} of them on constants"
    share = audit.share_of_time(Arithmetic.BOUNDARY)
    return text if share is None else f"{text}, {percent(share)} of the time"


def _bytes(audit: Audit) -> list[str]:
    found = []
    for place, sizes in (("in the file", audit.file_bytes), ("as the runtime holds them", audit.session_bytes)):
        if sizes is not None:
            share = int8_share_of_bytes(sizes)
            found.append(f"no constants {place}" if share is None else f"{percent(share)} of constants int8 {place}")
    return found
