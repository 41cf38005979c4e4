"""A grouped 1x1 convolution (a MixConv of 1x1 kernels over even splits): as it is, dense, or one convolution a group.

`dense` writes zeros where a group does not look: more multiply-adds, but a runtime whose blocked layout wants whole
blocks a group keeps its layout. Equal to the grouped one for finite inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import constant, is_op, module_path
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.named.condconv import ConvSettings, conv_settings

GROUPED_KEY = "condmix.pointwise_groups"
"""Metadata of the convolution that a MixConv of 1x1 kernels has become."""
GROUPED = "grouped_conv"


@dataclass(frozen=True, kw_only=True)
class PointwiseGroups:
    """Such a convolution, read."""

    node: ir.Node
    path: str
    x: ir.Value
    weight_oihw: np.ndarray
    bias_o: np.ndarray
    settings: ConvSettings
    input_chw: tuple[int, int, int]
    output_chw: tuple[int, int, int]

    @property
    def output(self) -> ir.Value:
        return self.node.outputs[0]

    @property
    def groups(self) -> int:
        return self.settings.group

    def details(self) -> dict[str, object]:
        """In the words of the MixConv that it was."""
        return {
            "kernels": (self.settings.kernel,) * self.groups,
            "split": (self.input_chw[0] // self.groups,) * self.groups,
            "strides": self.settings.strides,
            "dilations": (self.settings.dilations,) * self.groups,
            "depthwise": False,
            "in_channels": self.input_chw[0],
            "out_channels": self.output_chw[0],
            "output_size": self.output_chw[1:],
        }

    def multiply_adds(self, form: str) -> int:
        """Of one image in that form."""
        _, height, width = self.output_chw
        times = self.groups if form == "dense" else 1
        return times * int(self.weight_oihw.size) * height * width

    def weight_bytes(self, form: str) -> int:
        """Stored in that form, as float32."""
        times = self.groups if form == "dense" else 1
        return 4 * (times * int(self.weight_oihw.size) + int(self.bias_o.size))


@dataclass(frozen=True, kw_only=True)
class PointwiseForm:
    """A way to write it. build: None leaves it as it is."""

    name: str
    build: Callable[[PointwiseGroups, BatchAxis], Replacement] | None


def is_pointwise_groups(node: ir.Node) -> bool:
    """Whether a node is a convolution that a MixConv of 1x1 kernels has become."""
    return is_op(node, "Conv") and GROUPED_KEY in node.metadata_props


def read_pointwise_groups(node: ir.Node) -> PointwiseGroups:
    """The facts of the node."""
    x, weight = node.inputs[0], constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if x is None or weight is None or (len(node.inputs) > 2 and bias is None):
        message = f"'{node.name}' lacks a constant weight or bias"
        raise GraphError(message)
    settings = conv_settings(node, weight.shape[2:])
    return PointwiseGroups(
        node=node,
        path=module_path(node),
        x=x,
        weight_oihw=weight,
        bias_o=np.zeros(weight.shape[0], np.float32) if bias is None else bias,
        settings=settings,
        input_chw=_chw(x),
        output_chw=_chw(node.outputs[0]),
    )


def dense(layer: PointwiseGroups, batch: BatchAxis) -> Replacement:
    """One convolution of one group."""
    outputs, inputs = layer.weight_oihw.shape[:2]
    each = outputs // layer.groups
    weight = np.zeros((outputs, inputs * layer.groups, *layer.settings.kernel), np.float32)
    for group in range(layer.groups):
        rows, columns = slice(group * each, (group + 1) * each), slice(group * inputs, (group + 1) * inputs)
        weight[rows, columns] = layer.weight_oihw[rows]
    builder = NodeBuilder(layer.path)
    operands = [layer.x, builder.constant(weight, "weight"), builder.constant(layer.bias_o, "bias")]
    shape = (batch.dimension, *layer.output_chw)
    output = builder.one("Conv", operands, shape, attributes=layer.settings.attributes(group=1))
    return Replacement(removed=(layer.node,), results=((layer.output, output),), builder=builder)


def parallel(layer: PointwiseGroups, batch: BatchAxis) -> Replacement:
    """Split, a convolution for each group, Concat."""
    builder = NodeBuilder(layer.path)
    channels, height, width = layer.input_chw
    each_in, each_out = channels // layer.groups, layer.output_chw[0] // layer.groups
    parts = builder.node(
        "Split",
        [layer.x, builder.ints((each_in,) * layer.groups, "split")],
        [(batch.dimension, each_in, height, width)] * layer.groups,
        attributes={"axis": 1},
    )
    results = []
    for index, part in enumerate(parts):
        rows = slice(index * each_out, (index + 1) * each_out)
        operands = [
            part,
            builder.constant(layer.weight_oihw[rows], f"weight_{index}"),
            builder.constant(layer.bias_o[rows], f"bias_{index}"),
        ]
        shape = (batch.dimension, each_out, *layer.output_chw[1:])
        attributes = layer.settings.attributes(group=1)
        results.append(builder.one("Conv", operands, shape, role=f"branch_{index}", attributes=attributes))
    output = builder.one("Concat", results, (batch.dimension, *layer.output_chw), attributes={"axis": 1})
    return Replacement(removed=(layer.node,), results=((layer.output, output),), builder=builder)


POINTWISE_FORMS: tuple[PointwiseForm, ...] = (
    PointwiseForm(name=GROUPED, build=None),
    PointwiseForm(name="dense", build=dense),
    PointwiseForm(name="parallel", build=parallel),
)


def _chw(value: ir.Value) -> tuple[int, int, int]:
    channels, height, width = (length for length in (value.shape or ())[1:] if isinstance(length, int))
    return channels, height, width
