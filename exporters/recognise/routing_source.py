"""Where weights come from: the narrowest value of which several computed scalars and vectors are an affine function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.evaluate import PartialGraph
from condmix.exporters.graph.facts import element_count
from condmix.exporters.recognise.dominators import dominators
from condmix.exporters.recognise.mixture import AFFINE_TOLERANCE, LARGEST_ROUTING, affine_deviation


@dataclass(frozen=True, kw_only=True)
class RoutingSource:
    """Weights as an affine function of a routing: weights = constant + routing @ linear, every vector flat."""

    values: tuple[ir.Value, ...]
    """Together, in this order, they are the routing; one, unless every weight has a source of its own."""
    constant_w: np.ndarray
    linear_rw: np.ndarray

    @property
    def size(self) -> int:
        return int(self.linear_rw.shape[0])

    def weights(self, routing: np.ndarray) -> np.ndarray:
        """All weights, flat, one target behind the other."""
        result: np.ndarray = self.constant_w + routing @ self.linear_rw
        return result


def find_routing_source(
    model: ir.Model,
    weights: Sequence[ir.Value],
    positions: Mapping[ir.Node, int],
    dependent: frozenset[ir.Value],
    *,
    seed: int = 0,
) -> RoutingSource:
    """The narrowest single value behind all `weights`; where there is none, the narrowest behind each.

    A value is its own source at the latest, so there is always an answer.
    """
    found = _single_source(model, weights, positions, dependent, seed)
    if found is not None:
        return found
    each = [_single_source(model, [value], positions, dependent, seed) or _itself(value) for value in weights]
    linear = np.zeros((sum(one.size for one in each), sum(one.constant_w.size for one in each)))
    row = column = 0
    for one in each:
        rows, columns = one.linear_rw.shape
        linear[row : row + rows, column : column + columns] = one.linear_rw
        row, column = row + rows, column + columns
    return RoutingSource(
        values=tuple(value for one in each for value in one.values),
        constant_w=np.concatenate([one.constant_w for one in each]),
        linear_rw=linear,
    )


def _single_source(
    model: ir.Model,
    weights: Sequence[ir.Value],
    positions: Mapping[ir.Node, int],
    dependent: frozenset[ir.Value],
    seed: int,
) -> RoutingSource | None:
    best: RoutingSource | None = None
    for candidate in dominators(weights, positions, dependent):
        size = element_count(candidate)
        if candidate.dtype != ir.DataType.FLOAT or size > LARGEST_ROUTING:
            continue
        part = PartialGraph(model, candidate, weights)
        if not affine_deviation(part, size, np.random.default_rng(seed)) <= AFFINE_TOLERANCE:
            break
        # Ties go to the value nearer the input: the routing itself rather than a reshape of it.
        if best is None or size <= best.size:
            constant = _flat(part(np.zeros(size)))
            linear = np.stack([_flat(part(unit)) - constant for unit in np.eye(size)])
            best = RoutingSource(values=(candidate,), constant_w=constant, linear_rw=linear)
    return best


def _itself(value: ir.Value) -> RoutingSource:
    size = element_count(value)
    return RoutingSource(values=(value,), constant_w=np.zeros(size), linear_rw=np.eye(size))


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.reshape(-1) for array in arrays])
