"""Pads that depend on the size: SAME as an attribute where runtimes have it, else computed from the shape."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, attribute_ints, constant_ints, is_op, module_path, static_shape
from condmix.exporters.sizes.edit import insert_before
from condmix.exporters.sizes.same_padding import SameRule, find_rule
from condmix.exporters.sizes.terms import INT64, TermWriter
from condmix.exporters.sizes.twins import Site

WINDOWS = ("Conv", "MaxPool", "AveragePool", "QLinearConv")
SPATIAL = 2
ALL_AT_END = 1 << 40
"""What an amount is divided by of which nothing goes to the front."""
Pair = tuple[SameRule, SameRule]


def free_window(site: Site) -> str | None:
    """A convolution or pooling pads itself at any size; a problem in words where no rule gives its pads."""
    node = site.node
    kernel, strides, dilations = window(node)
    pads = [attribute_ints(one, "pads", (0,) * 2 * SPATIAL) for one in site.nodes]
    rules = _rules(site, pads, tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)), strides)
    if rules is None:
        return f"no rule gives its pads {_shown(pads)} from the size of its input"
    plain = [auto for lower, auto in ((False, "SAME_UPPER"), (True, "SAME_LOWER")) if _is_plain(site, pads, lower)]
    # ONNX Runtime refuses auto_pad beside dilations.
    if plain and set(dilations) == {1} and not attribute_int(node, "ceil_mode", 0):
        node.attributes.pop("pads")
        node.attributes["auto_pad"] = ir.AttrString("auto_pad", plain[0])
        return None
    if node.op_type != "Conv":
        return f"its pads {_shown(pads)} are those of no auto_pad, and only a convolution's are computed"
    source = node.inputs[0]
    assert source is not None
    builder = NodeBuilder(module_path(node))
    padded = builder.one("Pad", [source, _amounts(builder, source, rules)], site.input_shapes(0)[0], role="pad_same")
    insert_before(site, builder)
    node.replace_input_with(0, padded)
    node.attributes.pop("pads")
    return None


def free_pad(site: Site) -> str | None:
    """A Pad adds as much as the size of its input asks for, on two neighbouring axes."""
    node = site.node
    source = node.inputs[0]
    amounts = [_full_amounts(one) for one in site.nodes]
    if source is None or any(one is None for one in amounts):
        return "its amounts are computed"
    known = [one for one in amounts if one is not None]
    rank = len(known[0]) // 2
    padded = [axis for axis in range(rank) if any(one[axis] or one[axis + rank] for one in known)]
    # Behind a Transpose the axes of the map are others; one of the two may never be padded.
    first = min(padded[0], rank - SPATIAL)
    if padded[-1] >= first + SPATIAL:
        return f"its amounts {_shown(known)} are not those of two neighbouring axes"
    axes = range(first, first + SPATIAL)
    pads = [tuple(one[axis + side] for side in (0, rank) for axis in axes) for one in known]
    rules = None
    for kernel, strides, dilations in dict.fromkeys(
        window(use.node) for use in node.outputs[0].uses() if use.node.op_type in WINDOWS
    ):
        extents = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
        rules = rules or _rules(site, pads, extents, strides, first)
    rules = rules or _rules(site, pads, None, None, first)
    if rules is None:
        return f"no rule gives its amounts {_shown(pads)} from the size of its input"
    builder = NodeBuilder(module_path(node))
    total = _amounts(builder, source, rules, first, rank)
    insert_before(site, builder)
    node.replace_input_with(1, total)
    if len(node.inputs) > 3:
        node.replace_input_with(3, None)
    return None


def window(node: ir.Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, strides and dilations of a convolution or pooling of images."""
    place = {"Conv": 1, "QLinearConv": 3}.get(node.op_type)
    weight = None if place is None else node.inputs[place]
    kernel = attribute_ints(node, "kernel_shape", (1, 1)) if weight is None else static_shape(weight)[2:]
    return kernel, attribute_ints(node, "strides", (1, 1)), attribute_ints(node, "dilations", (1, 1))


def _rules(
    site: Site,
    pads: Sequence[Sequence[int]],
    extents: Sequence[int] | None,
    strides: Sequence[int] | None,
    first: int = SPATIAL,
) -> Pair | None:
    """A rule for the height and one for the width, which is the axis behind `first`."""
    found = []
    for axis in range(SPATIAL):
        lengths = [int(shape[first + axis]) for shape in site.input_shapes(0)]
        pairs = [(one[axis], one[axis + SPATIAL]) for one in pads]
        extent = None if extents is None else extents[axis]
        rule = find_rule(lengths, pairs, extent, None if strides is None else strides[axis])
        if rule is None:
            return None
        found.append(rule)
    return found[0], found[1]


def _is_plain(site: Site, pads: Sequence[Sequence[int]], lower: bool) -> bool:
    """Whether the pads are those of SAME on both axes, at every size, with nothing added."""
    kernel, strides, dilations = window(site.node)
    for axis in range(SPATIAL):
        rule = SameRule(extent=(kernel[axis] - 1) * dilations[axis] + 1, stride=strides[axis], lower=lower)
        for shape, one in zip(site.input_shapes(0), pads, strict=True):
            if rule.pads(int(shape[SPATIAL + axis])) != (one[axis], one[axis + SPATIAL]):
                return False
    return True


def _full_amounts(node: ir.Node) -> tuple[int, ...] | None:
    """Before and after, for every axis of the input; None where they are computed."""
    source, amounts = node.inputs[0], constant_ints(node.inputs[1])
    if source is None or source.shape is None or amounts is None:
        return None
    rank = len(source.shape)
    listed = constant_ints(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else range(rank)
    if listed is None:
        return None
    full = [0] * 2 * rank
    for position, axis in enumerate(listed):
        full[axis % rank], full[axis % rank + rank] = amounts[position], amounts[position + len(listed)]
    return tuple(full)


def _amounts(
    builder: NodeBuilder, source: ir.Value, rules: Pair, first: int = SPATIAL, rank: int = 2 * SPATIAL
) -> ir.Value:
    """The amounts of a Pad: (ceil(length / stride) - 1) * stride + extent - length, split in two."""

    def each(operator: str, one: ir.Value, other: ir.Value) -> ir.Value:
        return builder.one(operator, [one, other], (SPATIAL,), role="pad_same_amounts", data_type=INT64)

    def numbers(items: Sequence[int]) -> ir.Value:
        return builder.ints(items, "pad_same_numbers")

    lengths = TermWriter(builder).axes_of(source, first, first + SPATIAL, "pad_same_lengths")
    strides = numbers([rule.stride for rule in rules])
    steps = each("Div", each("Add", lengths, numbers([rule.stride - 1 for rule in rules])), strides)
    reach = each("Add", each("Mul", steps, strides), numbers([rule.extent - rule.stride for rule in rules]))
    total = each("Max", each("Sub", reach, lengths), numbers((0, 0)))
    total_up = each("Add", total, numbers([int(rule.lower) for rule in rules]))
    before = each("Div", total_up, numbers([ALL_AT_END if rule.at_end else 2 for rule in rules]))
    after = each("Sub", total, before)
    before = each("Add", before, numbers([rule.more[0] for rule in rules]))
    after = each("Add", after, numbers([rule.more[1] for rule in rules]))
    in_front, behind = ([numbers((0,) * count)] if count else [] for count in (first, rank - first - SPATIAL))
    parts = [*in_front, before, *behind, *in_front, after, *behind]
    return builder.one("Concat", parts, (2 * rank,), role="pad_same_amounts", attributes={"axis": 0}, data_type=INT64)


def is_window(node: ir.Node) -> bool:
    """Whether `free_window` is about it."""
    return is_op(node, *WINDOWS)


def _shown(pads: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(list(one)) for one in pads)
