"""Scale and zero point of every value that is held as integers: uint8, for ONNX Runtime is fast on no other type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from condmix.exporters.errors import CalibrationError
from condmix.exporters.graph.facts import is_op
from condmix.exporters.quantize.onnx.float_graph import FloatGraph
from condmix.exporters.quantize.onnx.plan import Plan, Role, limits, moved_values
from condmix.exporters.quantize.parameters import UINT8, Affine, asymmetric
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.tflite.ties import Ties

SATURATED = 6.25
"""Where a sigmoid is nearer to 0 or 1 than half a step of 8 bits."""
NEGLIGIBLE_SILU = -8.0
"""x * sigmoid(x) is -0.003 here and rises to 0: below, one number stands for all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scales:
    """How every value that integers are held of is rounded."""

    affines: dict[str, Affine]
    """By name."""
    absorbed: frozenset[ir.Node]
    """ReLU and Clip nodes whose work rounding does: their input is on the grid of their output, which ends there."""


def activation_scales(floats: FloatGraph, plan: Plan, ranges: Ranges) -> Scales:
    """The scales of all values. Raises CalibrationError naming values without a range."""
    ties: Ties[ir.Value] = Ties()
    spans = _known_spans(floats, ranges)
    absorbed: set[ir.Node] = set()
    before_limit: set[ir.Value] = set()
    for node in floats.model.graph:
        if plan.role(node) is Role.MOVE:
            for value in (*moved_values(node), *node.outputs[1:]):
                ties.tie(value, node.outputs[0])
        elif plan.role(node) is Role.LIMIT and _does_the_work(node, spans):
            limited = plan.limited(node)
            for value in limited:
                ties.tie(value, node.outputs[0])
            before_limit.update(limited)
            if limited:
                absorbed.add(node)
    groups: dict[ir.Value, list[ir.Value]] = {}
    for value in needed_values(floats, plan):
        groups.setdefault(ties.group(value), []).append(value)
    affines: dict[str, Affine] = {}
    unknown: list[str] = []
    for members in groups.values():
        known = [spans[value.name] for value in members if value.name in spans and value not in before_limit]
        if not known:
            unknown.append(members[0].name or "")
            continue
        span = known[0]
        for own in known[1:]:
            span = span.joined(own)
        affine = asymmetric(_useful(span, members, plan), UINT8)
        affines.update({value.name or "": affine for value in members})
    if unknown:
        shown = ", ".join(f"'{name}'" for name in unknown[:5])
        message = (
            f"no range is known for {len(unknown)} values, first {shown}: these ranges belong to another network "
            "or version; calibrate this network"
        )
        raise CalibrationError(message)
    return Scales(affines=affines, absorbed=frozenset(absorbed))


def _does_the_work(node: ir.Node, spans: Mapping[str, Range]) -> bool:
    """Whether numbers that are rounded into the range of the node's result are limited as the node would."""
    span = spans.get(node.outputs[0].name or "")
    low, high = limits(node)
    return span is not None and low <= span.low and span.high <= high


def needed_values(floats: FloatGraph, plan: Plan) -> list[ir.Value]:
    """Values that are held as integers, or rounded for a reader that computes in integers."""
    found: dict[ir.Value, None] = dict.fromkeys(value for value in floats.model.graph.inputs if value in plan.held)
    for node in floats.model.graph:
        role = plan.role(node)
        if role not in (Role.FLOAT, Role.SUM):
            found.update(dict.fromkeys(moved_values(node)))
        found.update(dict.fromkeys(output for output in node.outputs if output in plan.held))
    return list(found)


def _known_spans(floats: FloatGraph, ranges: Ranges) -> dict[str, Range]:
    """Calibration's ranges, and what follows from them for values that only the float graph has."""
    spans = dict(ranges.values)
    for name, source in floats.sources.items():
        if source in spans:
            spans.setdefault(name, spans[source])
    for bias in floats.biases:
        rows = ranges.routing.get(bias.routing)
        if rows is None or bias.output not in spans:
            continue
        mixed = bias.rows(rows)
        own = Range.around(float(mixed.min()), float(mixed.max()))
        output = spans[bias.output]
        spans[bias.bias] = own
        spans[bias.image] = Range.around(output.low - own.high, output.high - own.low)
    return spans


def _useful(span: Range, members: list[ir.Value], plan: Plan) -> Range:
    """The part of a range that makes a difference behind a sigmoid."""
    readers = {use.node for value in members for use in value.uses()}
    readers = {node for node in readers if plan.role(node) is not Role.MOVE}
    gates = {node for node in readers if is_op(node, "Sigmoid")}
    if not gates or any(value.is_graph_output() for value in members):
        return span
    if readers == gates:
        return Range(low=max(span.low, -SATURATED), high=min(span.high, SATURATED))
    gated = {gate.outputs[0] for gate in gates}
    products = readers - gates
    if all(is_op(node, "Mul") and any(value in gated for value in node.inputs) for node in products):
        return Range(low=max(span.low, NEGLIGIBLE_SILU), high=span.high)
    return span
