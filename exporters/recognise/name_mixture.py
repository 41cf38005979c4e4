"""The named node of a mixture, whatever was read as one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.named.condconv import ConvSettings, build_condconv
from condmix.exporters.recognise.mixture import Mixture

POINTWISE = ConvSettings(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1)


def name_mixture(
    builder: NodeBuilder,
    x: ir.Value,
    mixture: Mixture,
    settings: ConvSettings,
    shape: tuple[int, ...],
    *,
    stored_bias: np.ndarray | None = None,
) -> ir.Value:
    """The named node of a mixture; a part of the kernel that no routing touches becomes an expert of weight one."""
    experts, constant_part = mixture.experts[0], mixture.constants[0]
    expert_bias = mixture.experts[1] if len(mixture.experts) > 1 else None
    bias = np.zeros(shape[1]) if stored_bias is None else stored_bias
    if len(mixture.constants) > 1:
        bias = mixture.constants[1]
    if expert_bias is not None and not expert_bias.any():
        expert_bias = None
    size = experts.shape[0]
    routing = mixture.routing
    if static_shape(routing) != (1, size):
        routing = builder.reshape(routing, (1, size), (1, size), "routing")
    if constant_part.any():
        # Pad rather than Concat: it holds for any number of images.
        one = builder.constant(np.asarray(1.0, dtype=np.float32), "one")
        pads = builder.ints((0, 0, 0, 1), "one_more")
        routing = builder.one("Pad", [routing, pads, one], (1, size + 1), role="routing_and_one")
        experts = np.concatenate([experts, constant_part[None]])
        if expert_bias is not None:
            expert_bias = np.concatenate([expert_bias, np.zeros((1, expert_bias.shape[1]))])
    return build_condconv(builder, x, routing, experts, bias, expert_bias, settings, shape)
