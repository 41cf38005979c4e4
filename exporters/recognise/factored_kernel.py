"""Is a computed kernel a mixture of experts times attentions of its axes? Omni-dimensional dynamic convolution is.

ODConv (Li, Zhou and Yao 2022, equation 2) has W[o, i, t] = f_o c_i s_t sum_e a_e W_e[o, i, t]: linear in each of four
vectors, not in all together. Which vectors there are is read from the graph; which axis each one scales, or that it
mixes experts, is found by running the kernel's computation on numbers of one's own choosing, however it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.evaluate import PartialGraph
from condmix.exporters.graph.facts import element_count, is_op, static_shape
from condmix.exporters.recognise.mixture import AFFINE_TOLERANCE, LARGEST_GROWTH, LARGEST_ROUTING

MOST_VECTORS = 6
_VIEWS = ("Reshape", "Unsqueeze", "Squeeze", "Transpose", "Flatten", "Expand", "Identity")
OUT, IN, TAPS = "output channels", "input channels", "taps"
_ALONG = {OUT: (0,), IN: (1,), TAPS: (2, 3)}


@dataclass(frozen=True, kw_only=True)
class FactoredKernel:
    """kernel[o, i, h, w] = out_o in_i taps_hw sum_e routing_e experts[e, o, i, h, w]; a factor may be absent."""

    routing: ir.Value
    experts_eoihw: np.ndarray
    factors: Mapping[str, ir.Value]
    """The vector along OUT, IN or TAPS."""
    deviation: float


def find_factored_kernel(
    model: ir.Model, kernel: ir.Value, positions: Mapping[ir.Node, int], dependent: frozenset[ir.Value]
) -> FactoredKernel | None:
    """The vectors behind a kernel (out, in / groups, height, width) and what each does; None for any other kernel."""
    vectors = _vectors(kernel, positions, dependent)
    if not 2 <= len(vectors) <= MOST_VECTORS:
        return None
    probe = _Probe(PartialGraph(model, vectors, [kernel]), vectors, np.random.default_rng(0))
    factors: dict[str, int] = {}
    mixing: list[int] = []
    worst = 0.0
    for index in range(len(vectors)):
        worst = max(worst, probe.nonlinearity(index))
        axis = probe.axis(index, static_shape(kernel))
        if axis is None:
            mixing.append(index)
        elif axis in factors:
            return None
        else:
            factors[axis] = index
    if not worst <= AFFINE_TOLERANCE or len(mixing) != 1 or not factors:
        return None
    experts = probe.experts(mixing[0])
    if experts.size > LARGEST_GROWTH * probe.part.constant_elements:
        return None
    found = FactoredKernel(
        routing=vectors[mixing[0]],
        experts_eoihw=experts,
        factors={axis: vectors[index] for axis, index in factors.items()},
        deviation=worst,
    )
    deviation = probe.deviation(mixing[0], factors, experts)
    if not deviation <= AFFINE_TOLERANCE:
        return None
    return FactoredKernel(**{**vars(found), "deviation": max(worst, deviation)})


def _vectors(kernel: ir.Value, positions: Mapping[ir.Node, int], dependent: frozenset[ir.Value]) -> list[ir.Value]:
    """The small vectors that a kernel is computed from: behind every view and every product of two of them."""
    size = element_count(kernel)
    frontier: set[ir.Value] = {kernel}
    found: list[ir.Value] = []
    while frontier and len(found) <= MOST_VECTORS:
        value = max(frontier, key=lambda item: -1 if (node := item.producer()) is None else positions[node])
        frontier.discard(value)
        producer = value.producer()
        inputs = (
            [] if producer is None else [item for item in producer.inputs if item in dependent and item is not None]
        )
        small = element_count(value) <= LARGEST_ROUTING and element_count(value) < size
        # A product of vectors is two of them; a product with a number is one.
        joins = is_op(producer, "Mul", "MatMul", "Einsum") and len(inputs) > 1
        if small and not is_op(producer, *_VIEWS) and not joins:
            found.append(value)
        elif producer is None or value.dtype != ir.DataType.FLOAT:
            return []
        else:
            frontier.update(inputs)
    return found if not frontier else []


class _Probe:
    """The kernel's computation, run on vectors of one's own choosing."""

    def __init__(self, part: PartialGraph, vectors: Sequence[ir.Value], generator: np.random.Generator) -> None:
        self.part = part
        self._generator = generator
        self._sizes = [element_count(vector) for vector in vectors]
        self._around = [generator.uniform(0.5, 1.5, size) for size in self._sizes]

    def _kernel(self, index: int, vector: np.ndarray) -> np.ndarray:
        """The kernel with one vector changed, the others as they were drawn."""
        return self.part(*self._around[:index], vector, *self._around[index + 1 :])[0]

    def nonlinearity(self, index: int) -> float:
        """By how much K(2u - v) = 2 K(u) - K(v) and K(0) = 0 are violated, relative; infinite if not finite."""
        u, v = self._generator.standard_normal((2, self._sizes[index]))
        at_u, at_v, at_both = (self._kernel(index, vector) for vector in (u, v, 2 * u - v))
        at_zero = self._kernel(index, np.zeros(self._sizes[index]))
        return max(_difference(at_both, 2 * at_u - at_v), _difference(at_u, at_u - at_zero))

    def axis(self, index: int, shape: tuple[int, ...]) -> str | None:
        """The axis of the kernel that a vector scales; None for one that mixes, or does something else."""
        plain = self._kernel(index, np.ones(self._sizes[index]))
        vector = self._generator.uniform(0.5, 1.5, self._sizes[index])
        scaled = self._kernel(index, vector)
        for name, axes in _ALONG.items():
            lengths = tuple(shape[axis] for axis in axes)
            if int(np.prod(lengths)) != self._sizes[index] or self._sizes[index] == 1:
                continue
            if _difference(scaled, plain * _along(vector, axes, shape)) <= AFFINE_TOLERANCE:
                return name
        return None

    def experts(self, index: int) -> np.ndarray:
        """The kernels that a vector mixes, all other vectors being ones."""
        ones = [np.ones(size) for size in self._sizes]
        units = np.eye(self._sizes[index])
        return np.stack([self.part(*ones[:index], unit, *ones[index + 1 :])[0] for unit in units])

    def deviation(self, mixing: int, factors: Mapping[str, int], experts: np.ndarray) -> float:
        """By how much the kernel differs from what was read, on random vectors, of its largest element."""
        worst = 0.0
        for _ in range(2):
            drawn = [self._generator.standard_normal(size) for size in self._sizes]
            expected = np.tensordot(drawn[mixing], experts, 1)
            for name, index in factors.items():
                expected = expected * _along(drawn[index], _ALONG[name], expected.shape)
            worst = max(worst, _difference(self.part(*drawn)[0], expected))
        return worst


def _along(vector: np.ndarray, axes: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """A vector as an array that broadcasts along some axes of a kernel."""
    return vector.reshape([length if axis in axes else 1 for axis, length in enumerate(shape)])


def _difference(left: np.ndarray, right: np.ndarray) -> float:
    scale = max(np.abs(left).max(), np.abs(right).max(), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):
        result = float(np.abs(left - right).max() / scale)
    return result if np.isfinite(result) else float("inf")
