"""Slice at any size: ends that count from the back, or the length of another map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import module_path
from condmix.exporters.sizes.edit import insert_before
from condmix.exporters.sizes.terms import Term, TermWriter, explain
from condmix.exporters.sizes.twins import Site

TO_THE_END = (1 << 63) - 1
LARGEST_MARGIN = 64
STARTS, ENDS, AXES, STEPS = 1, 2, 3, 4


def free_slice(site: Site) -> str | None:
    """Starts and ends cut the same positions at any size; a problem in words where no rule says which."""
    node = site.node
    starts, ends = site.integers(STARTS), site.integers(ENDS)
    rank = len(site.input_shapes(0)[0])
    if starts is None or ends is None:
        return "its starts or ends are computed"
    axes = (site.integers(AXES) or (tuple(range(len(starts[0]))),))[0]
    steps = (site.integers(STEPS) or ((1,) * len(starts[0]),))[0]
    new_starts: list[Term | int] = []
    new_ends: list[Term | int] = []
    for place, axis in enumerate(axes):
        lengths = [shape[axis % rank] for shape in site.input_shapes(0)]
        pairs = [(start[place], end[place]) for start, end in zip(starts, ends, strict=True)]
        found = _cut(pairs, lengths, steps[place], site, rank - axis % rank)
        if found is None:
            shown = ", ".join(f"{start[place]}:{end[place]}" for start, end in zip(starts, ends, strict=True))
            return f"no rule gives what it cuts of axis {axis} ({shown}) from the size of the image"
        new_starts.append(found[0])
        new_ends.append(found[1])
    builder = NodeBuilder(module_path(node))
    writer = TermWriter(builder)
    vectors = [writer.vector(new_starts, "size_start"), writer.vector(new_ends, "size_end")]
    insert_before(site, builder)
    for index, vector in zip((STARTS, ENDS), vectors, strict=True):
        node.replace_input_with(index, vector)
    return None


def _cut(
    pairs: Sequence[tuple[int, int]], lengths: Sequence[int | str], step: int, site: Site, from_end: int
) -> tuple[Term | int, Term | int] | None:
    """A start and an end that cut the same positions at every size."""
    starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
    if len(set(pairs)) == 1:
        return starts[0], ends[0]
    numbers = [length for length in lengths if isinstance(length, int)]
    if len(numbers) < len(lengths) or step < 1:
        return None
    wanted = [range(n)[start:end:step] for n, start, end in zip(numbers, starts, ends, strict=True)]
    for start, end in _plain(starts[0], ends[0]):
        if [range(n)[start:end:step] for n in numbers] == wanted:
            return start, end
    first = explain(starts, site, (), from_end)
    last = explain([min(end, n) for end, n in zip(ends, numbers, strict=True)], site, (), from_end)
    return None if first is None or last is None else (first, last)


def _plain(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Starts and ends without a computation: as they are, to the end, or counted from the back."""
    back = range(-1, -LARGEST_MARGIN - 1, -1)
    yield start, TO_THE_END
    for margin in back:
        yield start, margin
    for margin in back:
        yield margin, TO_THE_END
        yield margin, end


def is_slice(node: ir.Node) -> bool:
    """Whether `free_slice` is about it."""
    return node.op_type == "Slice" and not node.domain
