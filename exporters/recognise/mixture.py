"""Is a computed kernel a mixture of experts? Found by algebra, whoever wrote the code.

A kernel W is a CondConv kernel when it is an affine function of a small vector r, the routing:
W = W_0 + sum_e r_e W_e (Yang et al. 2019, section 3). The narrowest value that separates W from the network's input
is the candidate for r; the experts are read off by running the separating subgraph on the basis vectors, and
the claim is tested on random vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.evaluate import PartialGraph
from condmix.exporters.graph.facts import element_count
from condmix.exporters.recognise.dominators import dominators

LARGEST_ROUTING = 1024
"""More numbers than this are features, not a routing vector."""

AFFINE_TOLERANCE = 2e-5
"""Relative to the largest element; float32 sums over the experts stay well below, a curved function well above."""

LARGEST_GROWTH = 2.0
"""A mixture's experts are its stored numbers; a modulated kernel (w * style) would need many times its own."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Targets as affine functions of one routing value: target = constant + sum_e routing_e * experts[e]."""

    routing: ir.Value
    experts: tuple[np.ndarray, ...]
    """One array per target, shape (experts, *target shape), float64."""
    constants: tuple[np.ndarray, ...]
    deviation: float = 0.0
    """By how much linearity was violated on random vectors, of the largest element: rounding."""


@dataclass(frozen=True, kw_only=True)
class NotAMixture:
    """Why some computed kernel is not a mixture; a sentence for the report."""

    reason: str


def find_mixture(
    model: ir.Model,
    targets: Sequence[ir.Value],
    positions: Mapping[ir.Node, int],
    dependent: frozenset[ir.Value],
    *,
    seed: int = 0,
) -> Mixture | NotAMixture:
    """Return the experts behind `targets` (a kernel, and perhaps its bias), or why there are none."""
    kernel_size = sum(element_count(target) for target in targets)
    best: tuple[ir.Value, PartialGraph, float] | None = None
    failure = f"no small vector separates the kernel from the input (at most {LARGEST_ROUTING} numbers)"
    for candidate in dominators(targets, positions, dependent):
        size = element_count(candidate)
        if candidate.dtype != ir.DataType.FLOAT or size > LARGEST_ROUTING or size >= kernel_size:
            continue
        part = PartialGraph(model, candidate, targets)
        deviation = affine_deviation(part, size, np.random.default_rng(seed))
        if not deviation <= AFFINE_TOLERANCE:
            if best is None:
                failure = (
                    f"the kernel is not linear in '{candidate.name}' ({size} numbers), the narrowest value it is "
                    f"computed from: {_violation(deviation)}"
                )
            break
        # Ties go to the value nearer the input: the routing itself rather than a reshape of it.
        if best is None or size <= element_count(best[0]):
            best = (candidate, part, deviation)
    if best is None:
        return NotAMixture(reason=failure)
    routing, part, deviation = best
    size = element_count(routing)
    growth = size * kernel_size / max(part.constant_elements, 1)
    if growth > LARGEST_GROWTH:
        return NotAMixture(
            reason=f"linear in '{routing.name}' ({size} numbers), but as {size} experts it would store {growth:.0f} "
            "times the numbers it stores now: a modulated kernel, not a mixture"
        )
    return replace(_read_experts(part, routing, size), deviation=deviation)


def affine_deviation(part: PartialGraph, size: int, generator: np.random.Generator) -> float:
    """By how much f(a u + b v) - f(0) = a (f(u) - f(0)) + b (f(v) - f(0)) is violated, relative; NaN if not finite."""
    worst = 0.0
    at_zero = part(np.zeros(size))
    for first_weight, second_weight in ((0.7, -1.3), (2.0, 0.5)):
        u, v = generator.standard_normal((2, size))
        at_u, at_v, at_sum = part(u), part(v), part(first_weight * u + second_weight * v)
        for zero, of_u, of_v, of_sum in zip(at_zero, at_u, at_v, at_sum, strict=True):
            scale = max(np.abs(of_u).max(), np.abs(of_v).max(), np.abs(of_sum).max(), np.finfo(np.float64).tiny)
            # What is not finite becomes NaN here, which is an answer and no reason to warn.
            with np.errstate(invalid="ignore"):
                expected = zero + first_weight * (of_u - zero) + second_weight * (of_v - zero)
                worst = float(np.maximum(worst, np.abs(of_sum - expected).max() / scale))
            if np.isnan(worst):
                return worst
    return worst


def _violation(deviation: float) -> str:
    if np.isnan(deviation):
        return "not finite for every value of it"
    return f"off by {deviation:.1e} of its largest element"


def _read_experts(part: PartialGraph, routing: ir.Value, size: int) -> Mixture:
    constants = part(np.zeros(size))
    rows = [part(unit) for unit in np.eye(size)]
    experts = tuple(np.stack([row[index] - constants[index] for row in rows]) for index in range(len(constants)))
    return Mixture(routing=routing, experts=experts, constants=constants)
