"""Conv, Gemm, CondConv and MixConv read alike: a layer is a list of convolutions with stored weights.

A Conv is one part, a MixConv has a part for each branch, a CondConv one part with a bank of experts, a Gemm is a 1x1
convolution. What improves a layer is then written once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.builder import Attributes, NodeBuilder
from condmix.exporters.graph.facts import (
    attribute_float,
    attribute_int,
    constant,
    is_op,
    module_path,
    static_shape,
)
from condmix.exporters.named.condconv import ConvSettings, build_condconv, conv_settings, is_condconv, read_condconv
from condmix.exporters.named.mixconv import Branch, build_mixconv, is_mixconv, read_mixconv
from condmix.exporters.quantize.parameters import Grid, channel_scales

POINT = ConvSettings(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1)
NO_MARKS: Mapping[str, str] = MappingProxyType({})
_FACTORS = ("alpha", "beta")


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One convolution of a layer; `inputs` and `outputs` are its channels among those of the layer."""

    weight_eoihw: np.ndarray
    """(experts, out, in / group, height, width); one expert where the weight is the same for all images."""
    bias_o: np.ndarray
    expert_bias_eo: np.ndarray | None
    settings: ConvSettings
    inputs: slice
    outputs: slice

    @property
    def grouped(self) -> np.ndarray:
        """The weight as (experts, groups, out / group, in / group, height, width)."""
        experts, out, *rest = self.weight_eoihw.shape
        return self.weight_eoihw.reshape(experts, self.settings.group, out // self.settings.group, *rest)

    def with_grouped(self, grouped: np.ndarray) -> Part:
        """The same with another weight, given as `grouped` gives it."""
        return replace(self, weight_eoihw=grouped.reshape(self.weight_eoihw.shape))

    def output_ranges(self) -> np.ndarray:
        """The largest magnitude of the weights behind each output channel, over all experts: (out,)."""
        largest: np.ndarray = np.abs(self.weight_eoihw).max(axis=(0, 2, 3, 4), initial=0.0)
        return largest

    def input_ranges(self) -> np.ndarray:
        """The largest magnitude of the weights that read each input channel: (in,)."""
        largest: np.ndarray = np.abs(self.grouped).max(axis=(0, 2, 4, 5), initial=0.0)
        return largest.reshape(-1)

    def scaled_outputs(self, factor_o: np.ndarray) -> Part:
        """The part whose output channels are multiplied."""
        expert_bias = None if self.expert_bias_eo is None else self.expert_bias_eo * factor_o
        weight = self.weight_eoihw * factor_o[None, :, None, None, None]
        return replace(self, weight_eoihw=weight, bias_o=self.bias_o * factor_o, expert_bias_eo=expert_bias)

    def scaled_inputs(self, factor_i: np.ndarray) -> Part:
        """The part whose weights are multiplied input channel by input channel."""
        by_group = factor_i.reshape(self.settings.group, 1, -1, 1, 1)
        return self.with_grouped(self.grouped * by_group[None])

    def scales(self, grid: Grid) -> np.ndarray:
        """A scale for each output channel, (out,): one for all experts, so that their bank is mixed on one grid."""
        return channel_scales(self.weight_eoihw, axis=1, grid=grid)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A node with stored weights, read."""

    node: ir.Node
    path: str
    x: ir.Value
    routing: ir.Value | None
    parts: tuple[Part, ...]

    @property
    def output(self) -> ir.Value:
        return self.node.outputs[0]

    @property
    def output_name(self) -> str:
        """The name that stays, whichever node computes it."""
        return self.output.name or ""


def read_layer(node: ir.Node) -> Layer | None:
    """The layer a node is, or None where it has no stored weight that can be changed."""
    if is_condconv(node):
        cond = read_condconv(node)
        part = _part(cond.experts_eoihw, cond.bias_o, cond.settings, expert_bias_eo=cond.expert_bias_eo)
        return Layer(node=node, path=cond.path, x=cond.x, routing=cond.routing, parts=(part,))
    if is_mixconv(node):
        mix = read_mixconv(node)
        parts: list[Part] = []
        for branch in mix.branches:
            inputs, outputs = (parts[-1].inputs.stop, parts[-1].outputs.stop) if parts else (0, 0)
            parts.append(_part(branch.weight_oihw[None], branch.bias_o, branch.settings, inputs, outputs))
        return Layer(node=node, path=mix.path, x=mix.x, routing=None, parts=tuple(parts))
    x = node.inputs[0] if node.inputs else None
    if x is None or not is_op(node, "Conv", "Gemm"):
        return None
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if weight is None or (bias is None and len(node.inputs) > 2 and node.inputs[2] is not None):
        return None
    if is_op(node, "Conv"):
        if weight.ndim != 4:
            return None
        settings = conv_settings(node, weight.shape[2:])
    else:
        if attribute_int(node, "transA", 0) or any(attribute_float(node, name, 1.0) != 1.0 for name in _FACTORS):
            return None
        weight = (weight if attribute_int(node, "transB", 0) else weight.T)[:, :, None, None]
        settings = POINT
    out = int(weight.shape[0])
    bias_o = np.zeros(out, np.float32) if bias is None else np.broadcast_to(bias.reshape(-1), (out,))
    part = _part(weight[None], bias_o, settings)
    return Layer(node=node, path=module_path(node), x=x, routing=None, parts=(part,))


def _part(
    weight_eoihw: np.ndarray,
    bias_o: np.ndarray,
    settings: ConvSettings,
    first_input: int = 0,
    first_output: int = 0,
    *,
    expert_bias_eo: np.ndarray | None = None,
) -> Part:
    _, out, per_group = weight_eoihw.shape[:3]
    return Part(
        weight_eoihw=weight_eoihw,
        bias_o=bias_o,
        expert_bias_eo=expert_bias_eo,
        settings=settings,
        inputs=slice(first_input, first_input + per_group * settings.group),
        outputs=slice(first_output, first_output + out),
    )


def rebuilt(
    layer: Layer,
    parts: Sequence[Part],
    builder: NodeBuilder,
    *,
    x: ir.Value | None = None,
    marks: Mapping[str, str] = NO_MARKS,
) -> ir.Value:
    """A node like the layer's with other weights (and input); its metadata goes on, with `marks` added."""
    x = x or layer.x
    shape = static_shape(layer.output)
    first = parts[0]
    if is_mixconv(layer.node):
        branches = [
            Branch(
                in_channels=part.inputs.stop - part.inputs.start,
                weight_oihw=part.weight_eoihw[0],
                bias_o=part.bias_o,
                settings=part.settings,
            )
            for part in parts
        ]
        result = build_mixconv(builder, x, branches, shape)
    elif layer.routing is not None:
        result = build_condconv(
            builder, x, layer.routing, first.weight_eoihw, first.bias_o, first.expert_bias_eo, first.settings, shape
        )
    else:
        is_gemm = is_op(layer.node, "Gemm")
        weight = first.weight_eoihw[0, :, :, 0, 0] if is_gemm else first.weight_eoihw[0]
        attributes: Attributes = {"transB": 1} if is_gemm else first.settings.attributes()
        inputs = [
            x,
            builder.constant(weight.astype(np.float32), "weight"),
            builder.constant(first.bias_o.astype(np.float32), "bias"),
        ]
        result = builder.one(layer.node.op_type, inputs, shape, attributes=attributes)
    builder.nodes[-1].metadata_props.update({**layer.node.metadata_props, **marks})
    return result
