"""Reshape, Expand and Resize at any size: their numbers are copied, inferred, or computed from shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_ints, attribute_string, module_path
from condmix.exporters.sizes.edit import insert_before
from condmix.exporters.sizes.terms import Term, TermWriter, explain
from condmix.exporters.sizes.twins import Length, Site

COPY, INFER = 0, -1
SIZES, SCALES = 3, 2


def free_reshape(site: Site) -> str | None:
    """The target copies, infers or computes what depends on the size; a problem where no expression gives it."""
    source = site.node.inputs[0]
    assert source is not None
    befores, afters = site.input_shapes(0), site.output_shapes()
    entries: list[Term | int | None] = []
    for axis, lengths in enumerate(zip(*afters, strict=True)):
        own = [before[axis] if axis < len(before) else None for before in befores]
        if len(set(lengths)) == 1 and isinstance(lengths[0], int):
            entries.append(lengths[0])
        else:
            entries.append(COPY if own == list(lengths) else None)
    open_axes = [axis for axis, entry in enumerate(entries) if entry is None]
    if len(open_axes) == 1:
        entries[open_axes[0]] = INFER
    else:
        unexplained = []
        for axis in open_axes:
            entries[axis] = explain([after[axis] for after in afters], site, (source,), len(afters[0]) - axis)
            if entries[axis] is None:
                unexplained.append(axis)
        if len(unexplained) > 1:
            return f"no rule gives its target {_shown(afters)} from the size of the image"
        for axis in unexplained:
            entries[axis] = INFER
    _write(site, 1, [entry for entry in entries if entry is not None])
    site.node.attributes.pop("allowzero", None)
    return None


def free_expand(site: Site) -> str | None:
    """The target names only what is repeated."""
    source = site.node.inputs[0]
    targets = site.integers(1)
    assert source is not None
    assert targets is not None
    afters = site.output_shapes()
    rank, more = len(afters[0]), len(afters[0]) - len(targets[0])
    entries: list[Term | int] = []
    for axis in range(more, rank):
        own = axis - (rank - len(site.input_shapes(0)[0]))
        if own >= 0 and all(
            before[own] == after[axis] for before, after in zip(site.input_shapes(0), afters, strict=True)
        ):
            entries.append(1)
            continue
        term = explain([after[axis] for after in afters], site, (), rank - axis)
        if term is None:
            return f"no rule gives its target {_shown(afters)} from the size of the image"
        entries.append(term)
    _write(site, 1, entries)
    return None


def free_resize(site: Site) -> str | None:
    """The factors where they are whole numbers, which are exact at any size; else sizes computed from shapes."""
    node = site.node
    source = node.inputs[0]
    assert source is not None
    befores, afters = site.input_shapes(0), site.output_shapes()
    listed = [axis % len(afters[0]) for axis in attribute_ints(node, "axes", range(len(afters[0])))]
    if attribute_string(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "it keeps the aspect ratio, whose rounding depends on the size"
    factors = [_factor([(b[axis], a[axis]) for b, a in zip(befores, afters, strict=True)]) for axis in listed]
    if all(factor is not None for factor in factors):
        builder = NodeBuilder(module_path(node))
        scales = builder.constant(np.asarray(factors, dtype=np.float32), "scales")
        insert_before(site, builder)
        node.resize_inputs(SCALES + 1)
        node.replace_input_with(SCALES, scales)
        return None
    entries: list[Term | int] = []
    for axis in listed:
        term = explain([after[axis] for after in afters], site, (source,), len(afters[0]) - axis)
        if term is None:
            return f"no rule gives its result {_shown(afters)} from the size of the image"
        entries.append(term)
    node.replace_input_with(SCALES, None)
    _write(site, SIZES, entries)
    return None


def _factor(pairs: Sequence[tuple[Length, Length]]) -> int | None:
    """The whole number that the length grows by at every size; 1 for the batch."""
    found = set()
    for before, after in pairs:
        if isinstance(before, str) or isinstance(after, str):
            found.add(1 if before == after else 0)
        else:
            found.add(0 if after % before else after // before)
    factor = found.pop()
    return None if found or factor == 0 else factor


def _write(site: Site, index: int, entries: Sequence[Term | int]) -> None:
    builder = NodeBuilder(module_path(site.node))
    value = TermWriter(builder).vector(entries, "size")
    insert_before(site, builder)
    if index >= len(site.node.inputs):
        site.node.resize_inputs(index + 1)
    site.node.replace_input_with(index, value)


def _shown(shapes: Sequence[Sequence[Length]]) -> str:
    return ", ".join(f"[{', '.join(map(str, shape))}]" for shape in shapes)
