"""The named node condmix.MixConv<n>: y = concat_i conv_i(split_i(x)), one kernel size a branch.

Inputs: x (batch, channels, height, width), then n weights (out_i, in_i / group_i, kernel_i, kernel_i), then n
biases (out_i).
Attributes: `split` (input channels of each branch), `strides`, and for each branch i `kernel_shape_i`, `pads_i`,
`dilations_i`, `group_i`. (Tan and Le 2019, section 3.1; ONNX functions have no variadic inputs, hence the number.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import attribute_int, attribute_ints, constant, module_path
from condmix.exporters.named.condconv import DOMAIN, ConvSettings

PREFIX = "MixConv"


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One branch of a MixConv: its input channels, kernel and bias."""

    in_channels: int
    weight_oihw: np.ndarray
    bias_o: np.ndarray
    settings: ConvSettings

    @property
    def out_channels(self) -> int:
        return int(self.weight_oihw.shape[0])

    @property
    def is_depthwise(self) -> bool:
        """One input channel and one output channel a group."""
        return self.settings.group == self.in_channels == self.out_channels and self.weight_oihw.shape[1] == 1


@dataclass(frozen=True, kw_only=True)
class MixConvLayer:
    """A named MixConv node, read."""

    node: ir.Node
    path: str
    x: ir.Value
    branches: tuple[Branch, ...]
    input_chw: tuple[int, int, int]
    output_chw: tuple[int, int, int]

    @property
    def output(self) -> ir.Value:
        return self.node.outputs[0]

    @property
    def is_depthwise(self) -> bool:
        return all(branch.is_depthwise for branch in self.branches)

    @property
    def kernels(self) -> tuple[tuple[int, int], ...]:
        return tuple(branch.settings.kernel for branch in self.branches)

    def details(self) -> dict[str, object]:
        """The layer in plain data, for reports."""
        return {
            "kernels": self.kernels,
            "split": tuple(branch.in_channels for branch in self.branches),
            "strides": self.branches[0].settings.strides,
            "dilations": tuple(branch.settings.dilations for branch in self.branches),
            "depthwise": self.is_depthwise,
            "in_channels": self.input_chw[0],
            "out_channels": self.output_chw[0],
            "output_size": self.output_chw[1:],
        }

    @property
    def weight_bytes(self) -> int:
        """Of all branches' kernels and biases as float32."""
        return 4 * sum(int(branch.weight_oihw.size) + int(branch.bias_o.size) for branch in self.branches)

    @property
    def multiply_adds(self) -> int:
        """Of all branches, batch 1."""
        _, height, width = self.output_chw
        return sum(int(branch.weight_oihw.size) for branch in self.branches) * height * width


def is_mixconv(node: ir.Node) -> bool:
    """Whether a node is a named MixConv."""
    return node.domain == DOMAIN and node.op_type.startswith(PREFIX)


def branch_count(node: ir.Node) -> int:
    """The number n of a MixConv<n> node."""
    return int(node.op_type.removeprefix(PREFIX))


def read_mixconv(node: ir.Node) -> MixConvLayer:
    """The facts of a named MixConv node."""
    count = branch_count(node)
    x = node.inputs[0]
    split = attribute_ints(node, "split", ())
    strides = attribute_ints(node, "strides", (1, 1))
    branches: list[Branch] = []
    for index in range(count):
        weight, bias = constant(node.inputs[1 + index]), constant(node.inputs[1 + count + index])
        if weight is None or bias is None:
            message = f"MixConv '{node.name}' branch {index} lacks a constant weight or bias"
            raise GraphError(message)
        pads = attribute_ints(node, f"pads_{index}", (0, 0, 0, 0))
        dilations = attribute_ints(node, f"dilations_{index}", (1, 1))
        settings = ConvSettings(
            kernel=(int(weight.shape[2]), int(weight.shape[3])),
            strides=(strides[0], strides[1]),
            pads=(pads[0], pads[1], pads[2], pads[3]),
            dilations=(dilations[0], dilations[1]),
            group=attribute_int(node, f"group_{index}", 1),
        )
        branches.append(Branch(in_channels=split[index], weight_oihw=weight, bias_o=bias, settings=settings))
    if x is None or x.shape is None or node.outputs[0].shape is None:
        message = f"MixConv '{node.name}' lacks an input or a shape"
        raise GraphError(message)
    return MixConvLayer(
        node=node,
        path=module_path(node),
        x=x,
        branches=tuple(branches),
        input_chw=_chw(x),
        output_chw=_chw(node.outputs[0]),
    )


def _chw(value: ir.Value) -> tuple[int, int, int]:
    channels, height, width = (length for length in (value.shape or ())[1:] if isinstance(length, int))
    return channels, height, width


def build_mixconv(
    builder: NodeBuilder, x: ir.Value, branches: Sequence[Branch], output_shape: Sequence[int | str]
) -> ir.Value:
    """A new named MixConv node. All branches share their strides."""
    weights = [
        builder.constant(branch.weight_oihw.astype(np.float32), f"weight_{index}")
        for index, branch in enumerate(branches)
    ]
    biases = [
        builder.constant(branch.bias_o.astype(np.float32), f"bias_{index}") for index, branch in enumerate(branches)
    ]
    attributes: dict[str, int | tuple[int, ...]] = {
        "split": tuple(branch.in_channels for branch in branches),
        "strides": branches[0].settings.strides,
    }
    for index, branch in enumerate(branches):
        attributes[f"kernel_shape_{index}"] = branch.settings.kernel
        attributes[f"pads_{index}"] = branch.settings.pads
        attributes[f"dilations_{index}"] = branch.settings.dilations
        attributes[f"group_{index}"] = branch.settings.group
    return builder.one(
        f"{PREFIX}{len(branches)}", [x, *weights, *biases], output_shape, domain=DOMAIN, attributes=attributes
    )
