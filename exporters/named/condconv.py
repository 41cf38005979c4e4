"""The named node condmix.CondConv: y = conv(x, sum_e routing_e experts_e) + bias + sum_e routing_e expert_bias_e.

Inputs: x (batch, in, height, width); routing (batch, experts); experts (experts, out, in / group, kernel height,
kernel width); bias (out); and, for the operator CondConvExpertBias, expert_bias (experts, out).
Attributes are those of ONNX Conv: kernel_shape, strides, pads, dilations, group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import Attributes, NodeBuilder
from condmix.exporters.graph.facts import (
    attribute_int,
    attribute_ints,
    attribute_string,
    constant,
    module_path,
    static_shape,
)

DOMAIN = "condmix"
OPERATOR = "CondConv"
OPERATOR_WITH_EXPERT_BIAS = "CondConvExpertBias"


@dataclass(frozen=True, kw_only=True)
class ConvSettings:
    """The attributes of a two-dimensional ONNX Conv."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right, as ONNX orders them."""
    dilations: tuple[int, int]
    group: int

    def attributes(self, *, group: int | None = None) -> Attributes:
        """As node attributes; `group` overrides the own one."""
        return {
            "kernel_shape": self.kernel,
            "strides": self.strides,
            "pads": self.pads,
            "dilations": self.dilations,
            "group": self.group if group is None else group,
        }


def conv_settings(node: ir.Node, kernel: Sequence[int]) -> ConvSettings:
    """The settings of a Conv-like node with that kernel size. Raises GraphError for anything but explicit 2-D pads."""
    if len(kernel) != 2:
        message = f"'{node.name}' has a kernel with {len(kernel)} spatial axes: expected 2"
        raise GraphError(message)
    auto_pad = attribute_string(node, "auto_pad", "NOTSET")
    if auto_pad != "NOTSET":
        message = f"'{node.name}' has auto_pad {auto_pad}: expected explicit pads"
        raise GraphError(message)
    pads = attribute_ints(node, "pads", (0, 0, 0, 0))
    strides = attribute_ints(node, "strides", (1, 1))
    dilations = attribute_ints(node, "dilations", (1, 1))
    return ConvSettings(
        kernel=(kernel[0], kernel[1]),
        strides=(strides[0], strides[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        dilations=(dilations[0], dilations[1]),
        group=attribute_int(node, "group", 1),
    )


@dataclass(frozen=True, kw_only=True)
class CondConvLayer:
    """A named CondConv node, read: what every rule and lowering needs to know of it."""

    node: ir.Node
    path: str
    x: ir.Value
    routing: ir.Value
    experts_eoihw: np.ndarray
    bias_o: np.ndarray
    expert_bias_eo: np.ndarray | None
    settings: ConvSettings
    input_chw: tuple[int, int, int]
    output_chw: tuple[int, int, int]

    @property
    def output(self) -> ir.Value:
        return self.node.outputs[0]

    @property
    def experts(self) -> int:
        return int(self.experts_eoihw.shape[0])

    @property
    def is_depthwise(self) -> bool:
        return self.settings.group > 1 and self.experts_eoihw.shape[2] == 1

    @property
    def is_pointwise(self) -> bool:
        """1x1, one group, no padding: the kernel is a matrix."""
        return self.settings.kernel == (1, 1) and self.settings.group == 1 and not any(self.settings.pads)

    @property
    def convolution_multiply_adds(self) -> int:
        """Of one convolution with the mixed kernel, batch 1."""
        _, height, width = self.output_chw
        return int(np.prod(self.experts_eoihw.shape[1:])) * height * width

    def details(self) -> dict[str, object]:
        """The layer in plain data, for reports."""
        return {
            "experts": self.experts,
            "routing": self.routing.name,
            "kernel": self.settings.kernel,
            "strides": self.settings.strides,
            "group": self.settings.group,
            "in_channels": self.input_chw[0],
            "out_channels": self.output_chw[0],
            "output_size": self.output_chw[1:],
            "expert_bias": self.expert_bias_eo is not None,
        }

    @property
    def weight_bytes(self) -> int:
        """Of experts and biases as float32."""
        expert_bias = 0 if self.expert_bias_eo is None else int(self.expert_bias_eo.size)
        return 4 * (int(self.experts_eoihw.size) + int(self.bias_o.size) + expert_bias)

    @property
    def mixing_multiply_adds(self) -> int:
        """Of summing the experts into one kernel, batch 1."""
        return int(self.experts_eoihw.size)


def is_condconv(node: ir.Node) -> bool:
    """Whether a node is a named CondConv."""
    return node.domain == DOMAIN and node.op_type in (OPERATOR, OPERATOR_WITH_EXPERT_BIAS)


def read_condconv(node: ir.Node) -> CondConvLayer:
    """The facts of a named CondConv node."""
    experts, bias = constant(node.inputs[2]), constant(node.inputs[3])
    expert_bias = constant(node.inputs[4]) if len(node.inputs) > 4 else None
    x, routing = node.inputs[0], node.inputs[1]
    if experts is None or bias is None or x is None or routing is None:
        message = f"CondConv '{node.name}' lacks constant experts or bias: expected (x, routing, experts, bias)"
        raise GraphError(message)
    _, channels, height, width = _image_shape(x)
    _, out_channels, out_height, out_width = _image_shape(node.outputs[0])
    return CondConvLayer(
        node=node,
        path=module_path(node),
        x=x,
        routing=routing,
        experts_eoihw=experts,
        bias_o=bias,
        expert_bias_eo=expert_bias,
        settings=conv_settings(node, experts.shape[3:]),
        input_chw=(channels, height, width),
        output_chw=(out_channels, out_height, out_width),
    )


def _image_shape(value: ir.Value) -> tuple[int, int, int, int]:
    # The batch axis may be free by now; the others are numbers.
    shape = value.shape
    if shape is None or len(shape) != 4:
        shape = ir.Shape(static_shape(value))
    _, channels, height, width = shape
    if not (isinstance(channels, int) and isinstance(height, int) and isinstance(width, int)):
        message = f"'{value.name}' has shape {shape}: expected fixed channels, height and width"
        raise GraphError(message)
    return 1, channels, height, width


def build_condconv(
    builder: NodeBuilder,
    x: ir.Value,
    routing: ir.Value,
    experts_eoihw: np.ndarray,
    bias_o: np.ndarray,
    expert_bias_eo: np.ndarray | None,
    settings: ConvSettings,
    output_shape: Sequence[int | str],
) -> ir.Value:
    """A new named CondConv node; arrays are stored as float32."""
    inputs = [
        x,
        routing,
        builder.constant(experts_eoihw.astype(np.float32), "experts"),
        builder.constant(bias_o.astype(np.float32), "bias"),
    ]
    operator = OPERATOR
    if expert_bias_eo is not None:
        operator = OPERATOR_WITH_EXPERT_BIAS
        inputs.append(builder.constant(expert_bias_eo.astype(np.float32), "expert_bias"))
    return builder.one(operator, inputs, output_shape, domain=DOMAIN, attributes=settings.attributes())
