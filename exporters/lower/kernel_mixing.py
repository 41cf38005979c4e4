"""Mixing the experts: one MatMul of the routing with the bank, one row an image."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import CondConvLayer


def mix_kernels(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The mixed kernels, shape (1, batch, out * in / group * height * width).

    The bank has an axis of its own in front: ONNX Runtime packs a constant matrix of two axes into blocks for its
    product, which a product of one row reads twice as slowly as the bank as it lies (docs/benchmarks.md).
    """
    experts = layer.experts_eoihw.reshape(1, layer.experts, -1)
    bank = builder.constant(experts, "experts")
    return builder.one("MatMul", [layer.routing, bank], (1, batch.dimension, experts.shape[2]), role="mix_kernels")


def mixed_bias(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The bias: a constant (out), or with expert biases (batch, out)."""
    constant_bias = builder.constant(layer.bias_o, "bias")
    if layer.expert_bias_eo is None:
        return constant_bias
    bank = builder.constant(layer.expert_bias_eo, "expert_bias")
    shape = (batch.dimension, layer.expert_bias_eo.shape[1])
    return builder.one("Gemm", [layer.routing, bank, constant_bias], shape, role="mix_bias")


def add_bias(builder: NodeBuilder, value: ir.Value, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """value (batch, out, height, width) plus the layer's bias; nothing is added when the bias is zero."""
    if layer.expert_bias_eo is None and not layer.bias_o.any():
        return value
    channels = layer.output_chw[0]
    shape = (batch.dimension, *layer.output_chw)
    if layer.expert_bias_eo is None:
        bias = builder.constant(layer.bias_o.reshape(1, channels, 1, 1), "bias")
    else:
        rows = mixed_bias(builder, layer, batch)
        bias = builder.reshape(rows, (batch.dimension, channels, 1, 1), (batch.target, channels, 1, 1), "bias_as_image")
    return builder.one("Add", [value, bias], shape, role="add_bias")


def has_bias(layer: CondConvLayer) -> bool:
    """Whether any bias, constant or mixed, has to be added."""
    return layer.expert_bias_eo is not None or bool(np.any(layer.bias_o))
