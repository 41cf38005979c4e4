"""Blocks that the families share: activations, squeeze-excite, stem, inverted residual, classifier."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from condmix.models.condconv import CondConv2d, Routing
from condmix.models.initialise import (
    AFTER_SQUEEZE_EXCITE_GAIN,
    LINEAR_GAIN,
    RELU_GAIN,
    RESIDUAL_BRANCH_GAIN,
    SILU_GAIN,
    SQUEEZE_EXCITE_GATE_GAIN,
)
from condmix.models.kernel_settings import RoutingScope
from condmix.models.layers import apply_layer, convolution, depthwise, pointwise
from condmix.models.mixconv import Partition
from condmix.models.padding import Padding
from condmix.models.settings import NetworkSettings

Activation = Literal["relu", "relu6", "silu"]


def activation(name: Activation) -> nn.Module:
    """The named activation."""
    return {"relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU}[name]()


def batch_norm(channels: int, settings: NetworkSettings) -> nn.BatchNorm2d:
    """Batch norm with the network's epsilon and momentum."""
    return nn.BatchNorm2d(channels, settings.batch_norm_epsilon, settings.batch_norm_momentum)


class ConvNormAct(nn.Module):
    """Convolution, batch norm, activation: stems and heads."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        settings: NetworkSettings,
        *,
        activation_name: Activation,
        stride: int = 1,
        padding: Padding = "symmetric",
    ) -> None:
        super().__init__()
        self.convolution = convolution(in_channels, out_channels, kernel_size, stride=stride, padding=padding)
        self.norm = batch_norm(out_channels, settings)
        self.activation = activation(activation_name)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, h', w')."""
        y: Tensor = self.activation(self.norm(self.convolution(x)))
        return y

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """The convolution is followed by the activation."""
        return {self.convolution: activation_gain(self.activation)}


def activation_gain(layer: nn.Module) -> float:
    """What a convolution before this activation starts with."""
    return SILU_GAIN if isinstance(layer, nn.SiLU) else RELU_GAIN


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all pooled channels (arXiv 1709.01507)."""

    def __init__(self, channels: int, reduced_channels: int, activation_name: Activation) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, reduced_channels, 1)
        self.activation = activation(activation_name)
        self.expand = nn.Conv2d(reduced_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same shape."""
        gate = torch.sigmoid(self.expand(self.activation(self.reduce(self.pool(x)))))
        return x * gate

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """Gates start near one half."""
        return {self.expand: SQUEEZE_EXCITE_GATE_GAIN}


@dataclasses.dataclass(frozen=True, kw_only=True)
class InvertedResidualShape:
    """The numbers of one inverted residual block. No `squeeze_channels` is no squeeze-excite; expanded
    channels equal to the input channels is no expansion layer."""

    in_channels: int
    expanded_channels: int
    out_channels: int
    stride: int = 1
    kernel_sizes: tuple[int, ...] = (3,)
    expand_groups: int = 1
    project_groups: int = 1
    squeeze_channels: int = 0
    activation: Activation = "relu6"
    experts: int | None = None
    routing_scope: RoutingScope = "block"
    partition: Partition = "equal"
    dilated: bool = False
    padding: Padding = "symmetric"


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise, squeeze-excite, project (1x1); residual where shapes allow (arXiv 1801.04381).

    With experts the three convolutions are CondConv and share one routing computed from the block's input,
    before the expansion; squeeze-excite stays ordinary. Batch norm of a mixed layer comes after the groups
    are joined.
    """

    def __init__(self, shape: InvertedResidualShape, settings: NetworkSettings) -> None:
        super().__init__()
        channels = shape.expanded_channels
        self.residual = shape.stride == 1 and shape.in_channels == shape.out_channels
        shared = shape.experts is not None and shape.routing_scope == "block"
        self.routing = Routing(shape.in_channels, shape.experts) if shared and shape.experts else None
        self.expand: nn.Module | None = None
        self.expand_norm: nn.Module | None = None
        if channels != shape.in_channels:
            self.expand = pointwise(
                shape.in_channels,
                channels,
                groups=shape.expand_groups,
                experts=shape.experts,
                routing_scope=shape.routing_scope,
            )
            self.expand_norm = batch_norm(channels, settings)
        self.activation = activation(shape.activation)
        self.depthwise = depthwise(
            channels,
            shape.kernel_sizes,
            stride=shape.stride,
            padding=shape.padding,
            partition=shape.partition,
            dilated=shape.dilated,
            experts=shape.experts,
            routing_scope=shape.routing_scope,
        )
        self.depthwise_norm = batch_norm(channels, settings)
        self.squeeze_excite = (
            SqueezeExcite(channels, shape.squeeze_channels, shape.activation) if shape.squeeze_channels else None
        )
        self.project = pointwise(
            channels,
            shape.out_channels,
            groups=shape.project_groups,
            experts=shape.experts,
            routing_scope=shape.routing_scope,
        )
        self.project_norm = batch_norm(shape.out_channels, settings)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, h', w')."""
        return self.with_expansion(x)[1]

    def with_expansion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The expanded map (batch, expanded_channels, height, width), which detectors read, and the output."""
        routing = None if self.routing is None else self.routing(x)
        expanded: Tensor = x
        if self.expand is not None and self.expand_norm is not None:
            expanded = self.activation(self.expand_norm(apply_layer(self.expand, x, routing)))
        y: Tensor = self.activation(self.depthwise_norm(apply_layer(self.depthwise, expanded, routing)))
        if self.squeeze_excite is not None:
            y = self.squeeze_excite(y)
        y = self.project_norm(apply_layer(self.project, y, routing))
        return expanded, x + y if self.residual else y

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """The projection has no activation behind it, and may have squeeze-excite before it."""
        gain = LINEAR_GAIN if self.squeeze_excite is None else AFTER_SQUEEZE_EXCITE_GAIN
        layers = [layer for layer in (self.expand, self.depthwise) if layer is not None]
        gains = dict.fromkeys(layers, activation_gain(self.activation))
        return gains | {self.project: gain * RESIDUAL_BRANCH_GAIN if self.residual else gain}


class Classifier(nn.Module):
    """Global average pool, dropout, and a linear layer; with experts that layer is a CondConv on the 1x1 map
    with its own routing from the pooled features."""

    def __init__(self, channels: int, settings: NetworkSettings, *, experts: int | None = None) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(settings.dropout)
        self.routing = Routing(channels, experts) if experts else None
        self.output: nn.Module = (
            CondConv2d(channels, settings.num_classes, 1, experts=experts, bias=True)
            if experts
            else nn.Linear(channels, settings.num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to class scores (batch, classes)."""
        pooled = self.pool(x)
        if self.routing is not None:
            mixed: Tensor = self.output(self.dropout(pooled), self.routing(pooled))
            return torch.flatten(mixed, 1)
        scores: Tensor = self.output(self.dropout(torch.flatten(pooled, 1)))
        return scores
