"""Tables for people: columns of records, as rich draws them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from condmix.deploy.report.numbers import plural

if TYPE_CHECKING:
    from rich.table import Table


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """A table without a frame; the columns named in `right` are numbers and stand to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


LAYER_COLUMNS = ("layer", "kind", "form", "kernel", "experts", "multiply-adds", "bytes", "why")
LAYER_NUMBERS = ("experts", "multiply-adds", "bytes")


def layer_rows(layers: Iterable[Mapping[str, object]]) -> list[tuple[str, ...]]:
    """One row a layer, from the records as plain data, and one with the totals."""
    rows = [_layer_row(layer) for layer in layers]
    return rows


def totals_row(layers: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """The sums over all layers, under their columns."""
    multiply_adds, weight_bytes = (
        sum(_whole(layer[key]) for layer in layers) for key in ("multiply_adds", "weight_bytes")
    )
    return ("total", plural(len(layers), "layer"), "", "", "", f"{multiply_adds:,}", f"{weight_bytes:,}", "")


def _layer_row(layer: Mapping[str, object]) -> tuple[str, ...]:
    details = layer["details"] if isinstance(layer["details"], Mapping) else {}
    form = layer["form"] or ("named only" if layer["recognised"] else "left alone")
    return (
        str(layer["path"]),
        str(layer["kind"]),
        str(form),
        _kernels(details),
        str(details.get("experts", "")),
        f"{_whole(layer['multiply_adds']):,}" if layer["recognised"] else "",
        f"{_whole(layer['weight_bytes']):,}" if layer["recognised"] else "",
        str(layer["why"]),
    )


def _kernels(details: Mapping[str, object]) -> str:
    """3x3 for one kernel, 3x3 5x5 7x7 for several."""
    kernels = details.get("kernels", [details["kernel"]] if "kernel" in details else [])
    assert isinstance(kernels, list | tuple)
    return " ".join(
        "x".join(map(str, kernel)) if isinstance(kernel, list | tuple) else str(kernel) for kernel in kernels
    )


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
