"""CondConv for int8, one image a call: the experts are mixed in integers and the kernel is applied in integers.

A 1x1 kernel is applied as Gemm over the positions: ONNX Runtime packs a computed matrix far faster than it reorders a
computed convolution kernel. Any other kernel is applied by Conv.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.lower.batch_axis import SYMBOL, BatchAxis
from condmix.exporters.lower.kernel_mixing import add_bias, has_bias
from condmix.exporters.named.condconv import CondConvLayer

ONE_IMAGE = BatchAxis(size=1)
BATCHED_AXES = 3
"""Of kernels (batch, rows, output channels)."""
FORM_REASONS = {
    "gemm": "mixed in integers; applied as Gemm: a computed matrix is packed faster than a computed kernel",
    "kernel": "mixed in integers; applied as a convolution with a computed kernel",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedKernel:
    """Where a layer's kernel is mixed, by value names, and the experts it is mixed from."""

    routing: str
    mixed: str
    """(1, elements): routing times bank."""
    kernel: str
    """The same in the shape in which it is applied."""
    shape: tuple[int, ...]
    output_axis: int
    """Of the kernel's output channels: the first, or the last behind all others."""
    experts_eoihw: np.ndarray
    is_depthwise: bool
    copies: int = 1
    """How often the output channels stand behind each other: once for each image of a grouped convolution."""

    @property
    def is_batched(self) -> bool:
        """A matrix for each image."""
        return len(self.shape) == BATCHED_AXES


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedBias:
    """Where a bias is mixed and added, by value names: image plus bias is the layer's output."""

    routing: str
    image: str
    bias: str
    output: str
    expert_bias_eo: np.ndarray
    bias_o: np.ndarray

    def rows(self, routing_ne: np.ndarray) -> np.ndarray:
        """The bias of every image, (images, out)."""
        mixed: np.ndarray = routing_ne.astype(np.float64) @ self.expert_bias_eo + self.bias_o
        return mixed


@dataclass(frozen=True, kw_only=True, eq=False)
class LoweredCondConv:
    """The new nodes' result, and the values that only they have."""

    output: ir.Value
    mixed: ir.Value
    kernel: ir.Value
    product: ir.Value
    """Of Gemm or Conv."""
    image: ir.Value
    """The product as an image (1, out, height, width), without a bias that is mixed."""
    bias: ir.Value | None
    """The bias that is mixed, as an image of one position."""
    kernel_target: tuple[int, ...]
    """What the mixed row is reshaped to; a free batch is inferred."""
    output_axis: int
    experts_eoihw: np.ndarray
    """In the order of the kernel's elements."""
    copies: int = 1

    def with_bias(self, output: ir.Value, bias: ir.Value | None) -> LoweredCondConv:
        """The same with a mixed bias added to the image."""
        return replace(self, output=output, bias=bias)

    def mixed_kernel(self, layer: CondConvLayer) -> MixedKernel:
        """The record of a layer whose nodes have their final names."""
        return MixedKernel(
            routing=layer.routing.name or "",
            mixed=self.mixed.name or "",
            kernel=self.kernel.name or "",
            shape=self.kernel_target,
            output_axis=self.output_axis,
            experts_eoihw=self.experts_eoihw,
            is_depthwise=layer.is_depthwise,
            copies=self.copies,
        )

    def mixed_bias(self, layer: CondConvLayer) -> MixedBias | None:
        """The same of its bias, where that is mixed."""
        if self.bias is None or layer.expert_bias_eo is None:
            return None
        return MixedBias(
            routing=layer.routing.name or "",
            image=self.image.name or "",
            bias=self.bias.name or "",
            output=self.output.name or "",
            expert_bias_eo=layer.expert_bias_eo,
            bias_o=layer.bias_o,
        )


def form_name(layer: CondConvLayer) -> str:
    """`gemm` or `kernel`."""
    return "gemm" if layer.is_pointwise and layer.settings.strides == (1, 1) else "kernel"


def build_condconv_int8(builder: NodeBuilder, layer: CondConvLayer) -> LoweredCondConv:
    """Add the layer's nodes, in float arithmetic: what is rounded is decided later."""
    return _gemm(builder, layer) if form_name(layer) == "gemm" else _kernel(builder, layer)


def mix(
    builder: NodeBuilder,
    layer: CondConvLayer,
    bank_en: np.ndarray,
    shape: tuple[int | str, ...],
    target: tuple[int, ...],
) -> tuple[ir.Value, ir.Value]:
    """The mixed rows (batch, elements), and the same as kernels."""
    bank = builder.constant(bank_en, "experts")
    assert layer.routing.shape is not None
    rows = layer.routing.shape[0]
    batch = rows if isinstance(rows, int) else SYMBOL
    mixed = builder.one("MatMul", [layer.routing, bank], (batch, bank_en.shape[1]), role="mix_kernels")
    # Flatten changes nothing. It keeps the runtime from drawing the rounding of the kernel to int8 into a product
    # whose other operand is uint8: there is no such product, and the mixing would fall back to float.
    row = builder.one("Flatten", [mixed], (batch, bank_en.shape[1]), role="kernel_row", attributes={"axis": 1})
    return mixed, builder.reshape(row, shape, target, "kernel")


def _bias(builder: NodeBuilder, layer: CondConvLayer) -> list[ir.Value]:
    """The bias as an input of the product, where it is constant."""
    return [builder.constant(layer.bias_o, "bias")] if layer.expert_bias_eo is None and has_bias(layer) else []


def _result(
    builder: NodeBuilder, layer: CondConvLayer, mixed: ir.Value, kernel: ir.Value, product: ir.Value, image: ir.Value
) -> LoweredCondConv:
    """The product as an image, with the bias that is mixed for it."""
    output, bias = image, None
    if layer.expert_bias_eo is not None:
        output = add_bias(builder, image, layer, ONE_IMAGE)
        bias = builder.nodes[-1].inputs[1]
    return LoweredCondConv(
        output=output,
        mixed=mixed,
        kernel=kernel,
        product=product,
        image=image,
        bias=bias,
        kernel_target=static_shape(kernel),
        output_axis=1 if form_name(layer) == "gemm" else 0,
        experts_eoihw=layer.experts_eoihw,
    )


def _kernel(builder: NodeBuilder, layer: CondConvLayer) -> LoweredCondConv:
    bank_en = np.ascontiguousarray(layer.experts_eoihw.reshape(layer.experts, -1))
    mixed, kernel = mix(builder, layer, bank_en, layer.experts_eoihw.shape[1:], layer.experts_eoihw.shape[1:])
    inputs = [layer.x, kernel, *_bias(builder, layer)]
    product = builder.one("Conv", inputs, (1, *layer.output_chw), role="conv", attributes=layer.settings.attributes())
    return _result(builder, layer, mixed, kernel, product, product)


def _gemm(builder: NodeBuilder, layer: CondConvLayer) -> LoweredCondConv:
    """Positions as rows, channels as columns: the layout in which the runtime keeps int8 images anyway."""
    out, per_group = layer.experts_eoihw.shape[1:3]
    _, height, width = layer.input_chw
    bank_en = np.ascontiguousarray(
        layer.experts_eoihw.reshape(layer.experts, out, per_group).transpose(0, 2, 1).reshape(layer.experts, -1)
    )
    mixed, kernel = mix(builder, layer, bank_en, (per_group, out), (per_group, out))
    rows = (height * width, per_group)
    last = builder.one(
        "Transpose", [layer.x], (1, height, width, per_group), role="channels_last", attributes={"perm": (0, 2, 3, 1)}
    )
    positions = builder.reshape(last, rows, rows, "positions")
    product = builder.one("Gemm", [positions, kernel, *_bias(builder, layer)], (height * width, out), role="product")
    shaped = builder.reshape(product, (1, height, width, out), (1, height, width, out), "as_image")
    image = builder.one(
        "Transpose", [shaped], (1, *layer.output_chw), role="channels_first", attributes={"perm": (0, 3, 1, 2)}
    )
    return _result(builder, layer, mixed, kernel, product, image)
