"""CondConv as mixed kernel and one Conv: MatMul mixes, Reshape, Conv. Batch 1."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import CondConvForm, FormRefusal
from condmix.exporters.lower.kernel_mixing import mix_kernels, mixed_bias
from condmix.exporters.named.condconv import CondConvLayer


def refuse(layer: CondConvLayer, batch: BatchAxis) -> FormRefusal | None:
    """One kernel serves one image only."""
    del layer
    return None if batch.is_one else FormRefusal(reason="`kernel` mixes one kernel a call: it needs --batch 1")


def build(builder: NodeBuilder, layer: CondConvLayer, batch: BatchAxis) -> ir.Value:
    """The layer's output, shape (1, out, height, width)."""
    mixed = mix_kernels(builder, layer, batch)
    kernel_shape = layer.experts_eoihw.shape[1:]
    kernel = builder.reshape(mixed, kernel_shape, kernel_shape, "kernel")
    bias = mixed_bias(builder, layer, batch)
    if layer.expert_bias_eo is not None:
        bias = builder.reshape(bias, (kernel_shape[0],), (kernel_shape[0],), "bias_row")
    return builder.one("Conv", [layer.x, kernel, bias], (1, *layer.output_chw), attributes=layer.settings.attributes())


FORM = CondConvForm(name="kernel", refuse=refuse, build=build)
