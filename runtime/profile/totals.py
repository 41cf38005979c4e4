"""Steps added up: by operator, by module and by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from condmix.runtime.audit.vocabulary import IN_INT8
from condmix.runtime.profile.records import UNATTRIBUTED, Bound, ModuleTime, OperatorTime, Rate, Roof
from condmix.runtime.profile.special import Row, rows_of
from condmix.runtime.profile.step import CONVOLUTIONS, Family, Step, StepGraph

COND_CONV, MIX_CONV = "CondConv", "MixConv"
"""Kinds of modules with a computed kernel, and with several convolutions that are split or concatenated, when no
record of an export names the construct."""


def operator_times(steps: Sequence[Step]) -> tuple[OperatorTime, ...]:
    """Each operator once: the longest time first, then the most multiply-adds, then by name."""
    groups: dict[str, list[Step]] = {}
    for step in steps:
        groups.setdefault(step.operator, []).append(step)
    totals = [
        OperatorTime(
            operator=operator,
            nodes=len(own),
            time_us=time_of(own),
            multiply_adds=sum(step.multiply_adds for step in own),
        )
        for operator, own in groups.items()
    ]
    return tuple(sorted(totals, key=lambda one: (-(one.time_us), -one.multiply_adds, one.operator)))


def special_times(graph: StepGraph) -> dict[Row, float]:
    """Every row with its time, 0 for what the network does not have."""
    times = dict.fromkeys(Row, 0.0)
    for row, step in zip(rows_of(graph), graph.steps, strict=True):
        times[row] += step.time_us
    return times


def module_times(graph: StepGraph, roof: Roof, constructs: Mapping[str, str]) -> tuple[ModuleTime, ...]:
    """Each module once, in running order; steps of no module are together under UNATTRIBUTED, if there are any.

    constructs: module -> its construct, from the record of an export.
    """
    groups: dict[str, list[Step]] = {}
    for step in graph.steps:
        groups.setdefault(step.module or UNATTRIBUTED, []).append(step)
    rows = dict(zip(map(id, graph.steps), rows_of(graph), strict=True))
    return tuple(
        ModuleTime(
            module=module,
            time_us=time_of(own),
            multiply_adds=sum(step.multiply_adds for step in own),
            size_bytes=sum(step.size_bytes for step in own),
            bound=bound_of(own, roof),
            kind=constructs.get(module) or kind_of(own, [rows[id(step)] for step in own]),
        )
        for module, own in groups.items()
    )


def time_of(steps: Sequence[Step]) -> float:
    """The sum, in microseconds."""
    return sum(step.time_us for step in steps)


def bound_of(steps: Sequence[Step], roof: Roof) -> Bound | None:
    """Memory, when the bytes would take longer than the multiply-adds at the rates of the roof."""
    if not any(step.multiply_adds for step in steps):
        return None
    compute_seconds = sum(step.multiply_adds / peak_of([step], roof).per_second for step in steps)
    memory_seconds = sum(step.size_bytes for step in steps) / roof.bandwidth.per_second
    return Bound.MEMORY if memory_seconds > compute_seconds else Bound.COMPUTE


def peak_of(steps: Sequence[Step], roof: Roof) -> Rate:
    """The roof of the arithmetic in which most of the multiply-adds are done."""
    total = sum(step.multiply_adds for step in steps)
    in_int8 = sum(step.multiply_adds for step in steps if step.arithmetic in IN_INT8)
    return roof.int8_multiply_adds if roof.int8_multiply_adds and 2 * in_int8 > total else roof.float_multiply_adds


def kind_of(steps: Sequence[Step], rows: Sequence[Row]) -> str:
    """What the module is, told by its steps: routing, CondConv, MixConv, else what does most of its work."""
    if all(row is Row.ROUTING for row in rows):
        return str(Row.ROUTING)
    if Row.KERNEL_MIXING in rows:
        return COND_CONV
    if Row.SPLIT_CONCAT in rows and sum(step.family in CONVOLUTIONS for step in steps) > 1:
        return MIX_CONV
    most = max(steps, key=lambda step: (step.multiply_adds, step.time_us))
    return str(most.family if most.multiply_adds or most.family is not Family.RESHAPE else Family.OTHER)
