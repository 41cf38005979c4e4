"""The difference of two model files, for people."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from condmix.deploy.measure.file_difference import FileFacts, FilesDifference, tensor_text
from condmix.deploy.sizes import file_size
from condmix.deploy.tables import plain_table
from condmix.deploy.terminal import console
from condmix.runtime.audit.report import percent

if TYPE_CHECKING:
    from condmix.deploy.measure.output_difference import OutputComparison
    from condmix.deploy.measure.stored_weights import WeightsDifference

MOST_ROWS = 10
SAME = "the same, byte for byte"


def print_files(found: FilesDifference, *, in_detail: bool) -> None:
    """All of it is on stdout, the sentence that matters most first; long lists whole only in detail."""
    click.echo(headline(found))
    rows = [row for row in _fact_rows(found.a, found.b) if in_detail or row[1] != row[2]]
    if rows:
        console(sys.stdout).print(plain_table(("", "a", "b"), rows))
    most = None if in_detail else MOST_ROWS
    counts = [(name, str(one), str(other)) for name, (one, other) in found.operator_counts.items()]
    if counts:
        click.echo()
        console(sys.stdout).print(plain_table(("operators", "a", "b"), counts[:most], right=("a", "b")))
        _rest(len(counts), most)
    for lines in (
        () if found.weights is None else _weights_lines(found.weights, most),
        () if found.outputs is None else _output_lines(found.outputs),
    ):
        for line in lines:
            click.echo(line)


def headline(found: FilesDifference) -> str:
    """What differs, in one line."""
    if found.same_bytes:
        return f"{SAME}: {found.a.path} and {found.b.path}"
    parts = []
    if found.outputs is None or not found.outputs.outputs:
        parts.append("outputs were not compared")
    else:
        worst = max(output.max_abs_difference for output in found.outputs.outputs)
        inputs = f"{found.outputs.images} random inputs"
        if worst == 0:
            parts.append(f"the same outputs on {inputs}")
        elif math.isfinite(worst):
            parts.append(f"outputs differ by up to {worst:.2e} on {inputs}")
        else:
            parts.append(f"outputs are not finite on {inputs}")
    if found.weights is not None and found.weights.shared:
        same = len(found.weights.equal)
        parts.append(f"{same} of {found.weights.shared} constants of the same name are equal")
    return f"{found.a.path.name} and {found.b.path.name}: {'; '.join(parts)}"


def _fact_rows(a: FileFacts, b: FileFacts) -> list[tuple[str, str, str]]:
    rows = [
        ("file", str(a.path), str(b.path)),
        ("format", str(a.format), str(b.format)),
        ("size", file_size(a.size_bytes), file_size(b.size_bytes)),
        ("sha256", a.sha256[:12], b.sha256[:12]),
    ]
    for role in ("inputs", "outputs"):
        one, other = ("\n".join(tensor_text(spec) for spec in getattr(file.signature, role)) for file in (a, b))
        rows.append((role, one, other))
    for kind in dict.fromkeys((*a.shares, *b.shares)):
        one, other = (percent(file.shares.get(kind, 0.0)) for file in (a, b))
        rows.append((f"multiply-adds in {kind.replace('_', ' ')}", one, other))
    rows.append(("operators", str(sum(a.operators.values())), str(sum(b.operators.values()))))
    return rows


def _weights_lines(found: WeightsDifference, most: int | None) -> Iterator[str]:
    if not found.shared:
        yield f"constants: no name in common ({len(found.only_a)} in a, {len(found.only_b)} in b)"
        return
    yield (
        f"constants: {found.shared} names in common, {len(found.equal)} equal; "
        f"{len(found.only_a)} only in a, {len(found.only_b)} only in b"
    )
    for name, apart in list(found.max_abs_difference.items())[:most]:
        yield f"  {name}: largest difference {apart:.2e}"
    for name, said in list(found.unlike.items())[:most]:
        yield f"  {name}: {said}"
    hidden = 0 if most is None else sum(max(0, len(one) - most) for one in (found.max_abs_difference, found.unlike))
    if hidden:
        yield f"  and {hidden} more (each with --verbose)"


def _output_lines(found: OutputComparison) -> Iterator[str]:
    for output in found.outputs:
        name = output.name_a if output.name_a == output.name_b else f"{output.name_a} / {output.name_b}"
        yield (
            f"output {name}: largest difference {output.max_abs_difference:.2e} of {output.largest:.2e}; "
            f"{output.agreement.sentence()}"
        )
    for note in found.notes:
        yield f"note: {note}"


def _rest(count: int, most: int | None) -> None:
    if most is not None and count > most:
        click.echo(f"and {count - most} more (each with --verbose)")
