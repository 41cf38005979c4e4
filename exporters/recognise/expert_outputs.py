"""Finding CondConv written as a sum of experts' outputs: y = sum_e r_e conv_e(x), E convolutions where one would do.

A convolution is linear in its kernel, so y = conv(x, sum_e r_e W_e) (Yang et al. 2019, section 3): the same function
with one convolution. However the sum is written (a loop, stack and ReduceSum, an einsum, one convolution with E times
the outputs, weights in front of the convolutions, a BatchNorm an expert), at every pixel it is a matrix M(r) times the
experts' outputs plus an offset. The matrix is read off by running the part of the graph behind the convolutions on unit
vectors, a pixel each, and that it is such a matrix, affine in r and the same at every pixel, is tested on random ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.evaluate import PartialGraph
from condmix.exporters.graph.facts import element_count, module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.recognise.dominators import input_dependent, node_positions
from condmix.exporters.recognise.expert_region import ExpertRegion, find_region
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixture import AFFINE_TOLERANCE, LARGEST_GROWTH, Mixture
from condmix.exporters.recognise.name_mixture import name_mixture
from condmix.exporters.recognise.routing_source import RoutingSource, find_routing_source


def find_expert_outputs(model: ir.Model) -> Iterator[Recognised | Declined]:
    """Yield every sum of experts' outputs: recognised as CondConv, or declined with its reason."""
    dependent = input_dependent(model.graph)
    positions = node_positions(model.graph)
    taken: set[ir.Node] = set()
    findings: list[Recognised | Declined] = []
    # From the end, so that the sum of all experts is met before its own partial sums.
    for node in reversed(list(model.graph)):
        if node in taken or len(node.outputs) != 1:
            continue
        region = find_region(node.outputs[0], positions, dependent)
        if region is None:
            continue
        finding = _read(model, region, find_routing_source(model, _weights(region), positions, dependent))
        if finding is not None:
            taken.update(region.nodes)
            findings.append(finding)
    yield from reversed(findings)


def _weights(region: ExpertRegion) -> tuple[ir.Value, ...]:
    """All computed weights once: those that meet the outputs, then those in front."""
    return (*region.weights, *(value for value in region.scales if value not in region.weights))


def _read(model: ir.Model, region: ExpertRegion, source: RoutingSource) -> Recognised | Declined | None:
    """The finding of a region; None where its weights are no routing, or it is no mixture."""
    node = region.result.producer()
    assert node is not None
    out_channels = static_shape(region.result)[1]
    if source.size * out_channels > LARGEST_GROWTH * region.channels:
        return None
    path, names = module_path(node), " and ".join(f"'{value.name}'" for value in source.values)
    differences = _differences(region)
    if differences:
        reason = f"a sum of convolutions that differ in {', '.join(differences)}: their kernels cannot be mixed"
        # One weight an expert: only then it looks like the construct.
        return Declined(path=path, node=node, reason=reason) if source.size <= len(region.experts) else None
    weighting = _Weighting(model, region, source)
    read = weighting.as_affine(np.random.default_rng(0))
    mixture = None if read is None else _mixture(region, source, read)
    if mixture is None:
        return None
    builder = NodeBuilder(path)
    if len(source.values) > 1:
        mixture = replace(mixture, routing=_joined(builder, source))
    settings, shape = region.experts[0].settings, static_shape(region.result)
    result = name_mixture(builder, region.x, mixture, settings, shape)
    return Recognised(
        path=path,
        node=node,
        replacement=Replacement(removed=region.nodes, results=((region.result, result),), builder=builder),
        routing_names=tuple(value.name or "" for value in source.values),
        proof=f"a sum of the outputs of {len(region.experts)} convolutions of one map, linear in {names} "
        f"({source.size} numbers): off by at most {mixture.deviation:.0e} of its largest element on random vectors",
    )


def _differences(region: ExpertRegion) -> list[str]:
    """In which settings the experts differ, so that their kernels cannot be added to one another."""
    return [
        name
        for name in ("kernel", "strides", "pads", "dilations", "group")
        if len({getattr(expert.settings, name) for expert in region.experts}) > 1
    ]


@dataclass(frozen=True, kw_only=True)
class _Affine:
    """What the region does at a pixel: (c_0 + sum_r r c_r) times the experts' outputs without bias, and an offset."""

    matrices_roc: np.ndarray
    """(1 + routing, out, experts' channels), the constant part first."""
    offsets_ro: np.ndarray
    deviation: float


class _Weighting:
    """The region behind the convolutions, run on outputs and weights of one's own choosing."""

    def __init__(self, model: ir.Model, region: ExpertRegion, source: RoutingSource) -> None:
        self.region, self.source = region, source
        self._weights = _weights(region)
        outputs = [expert.output for expert in region.experts]
        self._channels = [int(expert.weight_oihw.shape[0]) for expert in region.experts]
        self._part = PartialGraph(model, [*outputs, *region.weights], [region.result])
        _, self.out_channels, height, width = static_shape(region.result)
        self.pixels = height * width

    def as_affine(self, generator: np.random.Generator) -> _Affine | None:
        """What it is as an affine function of the routing; None where random numbers show that it is none."""
        size = self.source.size
        at_zero = self._at(np.zeros(size))
        if at_zero is None:
            return None
        matrices, offsets = [at_zero[0]], [at_zero[1]]
        for unit in np.eye(size):
            at_unit = self._at(unit)
            if at_unit is None:
                return None
            matrices.append(at_unit[0] - at_zero[0])
            offsets.append(at_unit[1] - at_zero[1])
        found = np.stack(matrices), np.stack(offsets)
        worst = max(self._deviation(*found, generator) for _ in range(3))
        if not worst <= AFFINE_TOLERANCE:
            return None
        return _Affine(matrices_roc=found[0], offsets_ro=found[1], deviation=worst)

    def _run(self, outputs_cp: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The result (out, pixels) for experts' outputs (channels, pixels) and all weights."""
        parts = np.split(outputs_cp, np.cumsum(self._channels)[:-1])
        (result,) = self._part(*parts, *self._split(weights)[: len(self.region.weights)])
        return result.reshape(self.out_channels, self.pixels)

    def _split(self, weights: np.ndarray) -> list[np.ndarray]:
        sizes = [element_count(value) for value in self._weights]
        return np.split(weights, np.cumsum(sizes)[:-1])

    def _in_front(self, weights: np.ndarray) -> np.ndarray:
        """What multiplies the input of each of the experts' channels."""
        numbers = {id(value): part for value, part in zip(self._weights, self._split(weights), strict=True)}
        return np.concatenate(
            [
                np.full(channels, 1.0 if expert.scale is None else float(numbers[id(expert.scale)][0]))
                for expert, channels in zip(self.region.experts, self._channels, strict=True)
            ]
        )

    def _at(self, routing: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """(matrix, offset) at one routing, read off one pixel a channel; None where they are not finite."""
        weights, total = self.source.weights(routing), sum(self._channels)
        alone = self._run(np.zeros((total, self.pixels)), weights)
        matrix = np.empty((self.out_channels, total))
        for start in range(0, total, self.pixels):
            stop = min(start + self.pixels, total)
            units = np.zeros((total, self.pixels))
            units[np.arange(start, stop), np.arange(stop - start)] = 1.0
            matrix[:, start:stop] = (self._run(units, weights) - alone)[:, : stop - start]
        if not (np.isfinite(matrix).all() and np.isfinite(alone).all()):
            return None
        biases = np.concatenate([expert.bias_o for expert in self.region.experts])
        return matrix * self._in_front(weights), alone[:, 0] + matrix @ biases

    def _deviation(self, matrices: np.ndarray, offsets: np.ndarray, generator: np.random.Generator) -> float:
        """By how much the region differs from what was read, at random numbers, of its largest element."""
        routing = generator.standard_normal(self.source.size)
        weights = self.source.weights(routing)
        plain = generator.standard_normal((sum(self._channels), self.pixels))
        biases = np.concatenate([expert.bias_o for expert in self.region.experts])
        actual = self._run(plain * self._in_front(weights)[:, None] + biases[:, None], weights)
        all_weights = np.concatenate([[1.0], routing])
        expected = np.tensordot(all_weights, matrices, 1) @ plain + (all_weights @ offsets)[:, None]
        scale = max(np.abs(actual).max(), np.abs(expected).max(), np.finfo(np.float64).tiny)
        return float(np.abs(actual - expected).max() / scale)


def _mixture(region: ExpertRegion, source: RoutingSource, read: _Affine) -> Mixture | None:
    """The kernels; None where a number of the routing touches no kernel, or groups of channels would be mixed."""
    weight = np.concatenate([expert.weight_oihw for expert in region.experts]).astype(np.float64)
    group, out_channels = region.experts[0].settings.group, read.matrices_roc.shape[1]
    if out_channels % group:
        return None
    kernels = np.zeros((len(read.matrices_roc), out_channels, *weight.shape[1:]))
    groups = np.concatenate(
        [np.arange(len(expert.weight_oihw)) // (len(expert.weight_oihw) // group) for expert in region.experts]
    )
    for matrix, kernel in zip(read.matrices_roc, kernels, strict=True):
        outs, channels = np.nonzero(matrix)
        if np.any(groups[channels] != outs // (out_channels // group)):
            return None
        np.add.at(kernel, outs, matrix[outs, channels][:, None, None, None] * weight[channels])
    used = np.abs(kernels).reshape(len(kernels), -1).max(axis=1) > 0
    if not used[1:].all() or np.count_nonzero(used) < 2:
        return None
    return Mixture(
        routing=source.values[0],
        experts=(kernels[1:], read.offsets_ro[1:]),
        constants=(kernels[0], read.offsets_ro[0]),
        deviation=read.deviation,
    )


def _joined(builder: NodeBuilder, source: RoutingSource) -> ir.Value:
    """Weights of several sources as one routing vector (1, experts)."""
    rows = [
        builder.reshape(value, (1, element_count(value)), (1, element_count(value)), f"routing_{index}")
        for index, value in enumerate(source.values)
    ]
    return builder.one("Concat", rows, (1, source.size), role="routing", attributes={"axis": 1})
