"""Steps that an engine or exporter put in have no name of their own: they count with the module whose values they move.

A split belongs to what reads its parts, a concatenation to what wrote them: to the module that holds all of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.profile.step import MOVEMENTS, Family, Step


def with_modules(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps; what only moves values gets the module of what wrote them, else of what reads them.

    A step that computes is never given a module that nobody told.
    """
    found = list(steps)
    writer = {name: place for place, step in enumerate(found) for name in step.outputs}
    readers: dict[str, list[int]] = {}
    for place, step in enumerate(found):
        for name in step.inputs:
            readers.setdefault(name, []).append(place)
    writers = {name: [place] for name, place in writer.items()}
    for place, step in enumerate(found):
        if _may_take(step) and step.family is Family.SPLIT_CONCAT:
            parts, others, forward = (
                (step.outputs, readers, True) if len(step.outputs) > 1 else (step.inputs, writers, False)
            )
            modules = [_through_movement(found, name, others, forward=forward) for name in parts]
            found[place] = replace(step, module=common_parent(modules))
    for place, step in enumerate(found):
        if _may_take(step):
            sources = [found[writer[name]].module for name in step.inputs if name in writer]
            found[place] = replace(step, module=next((module for module in sources if module), None))
    for place in reversed(range(len(found))):
        step = found[place]
        if _may_take(step):
            users = [found[user].module for name in step.outputs for user in readers.get(name, ())]
            found[place] = replace(step, module=next((module for module in users if module), None))
    return tuple(found)


def common_parent(modules: Iterable[str | None]) -> str | None:
    """The longest module path that holds all of these; None when one is unknown or only the network holds them."""
    paths = [module.split(".") if module else [] for module in modules]
    if not paths:
        return None
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common) or None


def _through_movement(
    steps: Sequence[Step], value: str, neighbours: Mapping[str, Sequence[int]], *, forward: bool
) -> str | None:
    """The module of the next step that has one, along steps that only move the value."""
    while value in neighbours:
        step = steps[neighbours[value][0]]
        following = step.outputs if forward else step.inputs
        if step.module is not None or not _may_take(step) or not following:
            return step.module
        value = following[0]
    return None


def _may_take(step: Step) -> bool:
    moves = step.family in MOVEMENTS or step.arithmetic is Arithmetic.MOVEMENT
    return step.module is None and moves
