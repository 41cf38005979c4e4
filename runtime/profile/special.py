"""Which steps are routing, kernel mixing, splitting, layout and so on: found in the graph, whoever wrote it.

The kernel of a CondConv is computed. Walking back from it, values as large as a kernel are being mixed, until one is
small: the routing vector. Walking on from there, the steps between the pooled features and that vector are routing.
Where all experts run and their results are added, each is scaled by a single number for an image: that scaling is
mixing too, and the number comes from routing. (Squeeze-and-excite scales every channel by its own number.)
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from condmix.runtime.profile.step import CONVOLUTIONS, MOVEMENTS, Family, Step, StepGraph

SMALL = 4
"""A value is small beside a kernel when it has fewer numbers than the kernel by this factor or more."""


class Row(StrEnum):
    """What the time of a step is spent on, beside its module."""

    ROUTING = "routing"
    KERNEL_MIXING = "kernel mixing"
    SPLIT_CONCAT = "split/concat"
    LAYOUT = "layout"
    BOUNDARY = "quantise/dequantise"
    OTHER = "other"


_OF_FAMILY = {
    Family.SPLIT_CONCAT: Row.SPLIT_CONCAT,
    Family.LAYOUT: Row.LAYOUT,
    Family.BOUNDARY: Row.BOUNDARY,
}


def rows_of(graph: StepGraph) -> tuple[Row, ...]:
    """The row of each step. What lies on the way of a computed kernel counts there, even where it is a layout change,
    a split or a quantisation: that is what having a computed kernel costs."""
    found: dict[int, Row] = {}
    for step in graph.steps:
        kernel = step.kernel or _mixed_operand(graph, step)
        if kernel is not None:
            _mark_mixing(graph, kernel, found)
    for place, step in enumerate(graph.steps):
        weight = _expert_weight(graph, step)
        if weight is not None:
            found[place] = Row.KERNEL_MIXING
            _mark_routing(graph, weight, found)
    return tuple(found.get(place, _OF_FAMILY.get(step.family, Row.OTHER)) for place, step in enumerate(graph.steps))


def _mark_mixing(graph: StepGraph, kernel: str, found: dict[int, Row]) -> None:
    limit = graph.elements(kernel)
    waiting = [kernel]
    while waiting:
        value = waiting.pop()
        place = graph.writer.get(value)
        if place is None or found.get(place) is Row.KERNEL_MIXING:
            continue
        if graph.elements(value) * SMALL <= limit:
            _mark_routing(graph, value, found)
        elif graph.steps[place].family not in CONVOLUTIONS:
            found[place] = Row.KERNEL_MIXING
            waiting += graph.steps[place].inputs


def _mark_routing(graph: StepGraph, vector: str, found: dict[int, Row]) -> None:
    waiting = [vector]
    while waiting:
        value = waiting.pop()
        place = graph.writer.get(value)
        if place is None or place in found or not graph.is_vector(value):
            continue
        step = graph.steps[place]
        found[place] = Row.ROUTING
        if step.family is not Family.POOL:
            waiting += step.inputs


def _mixed_operand(graph: StepGraph, step: Step) -> str | None:
    """Of a product of two computed operands the one that was mixed: a small vector times a constant bank wrote it."""
    if step.family is not Family.PRODUCT or len(step.inputs) < 2:
        return None
    return next((value for value in reversed(step.inputs) if _is_mixture(graph, value)), None)


def _is_mixture(graph: StepGraph, value: str) -> bool:
    for place in _looking_through_movement(graph, value):
        step = graph.steps[place]
        if step.family is not Family.PRODUCT or len(step.inputs) != 1:
            return False
        source = step.inputs[0]
        return graph.is_vector(source) and 0 < graph.elements(source) * SMALL <= graph.elements(value)
    return False


def _looking_through_movement(graph: StepGraph, value: str) -> Iterator[int]:
    """The step that computed the value, movement on the way left out; nothing when it came from outside."""
    while value in graph.writer:
        place = graph.writer[value]
        step = graph.steps[place]
        if step.family not in MOVEMENTS or not step.inputs:
            yield place
            return
        value = step.inputs[0]


def _expert_weight(graph: StepGraph, step: Step) -> str | None:
    """The single number that a multiplication scales a whole image by, if that is what it does."""
    if step.family is not Family.ELEMENTWISE or len(step.inputs) != 2 or not step.operator.upper().endswith("MUL"):
        return None
    for value, other in (step.inputs, reversed(step.inputs)):
        if graph.is_one_number(value) and graph.elements(other) > graph.elements(value):
            return value
    return None
