"""Choosing a layer: ordinary, CondConv or MixConv, by the numbers it is asked for with."""

from collections.abc import Sequence

from torch import Tensor, nn

from condmix.models.condconv import CondConv2d, RoutedCondConv2d
from condmix.models.kernel_settings import RoutingScope
from condmix.models.mixconv import MixConv2d, MixPointwise2d, Partition
from condmix.models.padding import Padding, conv2d


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    padding: Padding = "symmetric",
    experts: int | None = None,
    routing_scope: RoutingScope = "block",
) -> nn.Module:
    """A bias-free convolution: ordinary without experts, otherwise CondConv with the block's routing, or
    with its own where `routing_scope` is "layer"."""
    if experts is None:
        return conv2d(in_channels, out_channels, kernel_size, stride=stride, groups=groups, padding=padding)
    mixed = CondConv2d(
        in_channels,
        out_channels,
        kernel_size,
        experts=experts,
        stride=stride,
        groups=groups,
        # At stride 1 SAME is symmetric for the odd kernels used here.
        padding=padding if stride > 1 else "symmetric",
    )
    return RoutedCondConv2d(mixed) if routing_scope == "layer" else mixed


def depthwise(
    channels: int,
    kernel_sizes: Sequence[int],
    *,
    stride: int = 1,
    padding: Padding = "symmetric",
    partition: Partition = "equal",
    dilated: bool = False,
    experts: int | None = None,
    routing_scope: RoutingScope = "block",
) -> nn.Module:
    """A depthwise convolution: mixed if there are several kernel sizes, else ordinary or CondConv."""
    if len(kernel_sizes) > 1:
        return MixConv2d(channels, kernel_sizes, stride=stride, partition=partition, dilated=dilated, padding=padding)
    return convolution(
        channels,
        channels,
        kernel_sizes[0],
        stride=stride,
        groups=channels,
        padding=padding,
        experts=experts,
        routing_scope=routing_scope,
    )


def pointwise(
    in_channels: int,
    out_channels: int,
    *,
    groups: int = 1,
    experts: int | None = None,
    routing_scope: RoutingScope = "block",
) -> nn.Module:
    """A 1x1 convolution: in split groups if there are several, else ordinary or CondConv."""
    if groups > 1:
        return MixPointwise2d(in_channels, out_channels, groups=groups)
    return convolution(in_channels, out_channels, 1, experts=experts, routing_scope=routing_scope)


def apply_layer(layer: nn.Module, x: Tensor, routing: Tensor | None) -> Tensor:
    """The layer's output; only a CondConv without a routing of its own takes the block's gates."""
    y: Tensor = layer(x, routing) if isinstance(layer, CondConv2d) else layer(x)
    return y


def round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of the divisor, at least one divisor, never below nine tenths of `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
