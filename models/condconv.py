"""Conditionally parameterised convolution (CondConv, arXiv 1904.04971): each image has its own mixed kernel.

    y = conv(x, sum_e r_e W_e),    r = sigmoid(Linear(global average pool(x)))

The gates are independent sigmoids, so they do not add up to one.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from condmix.models.errors import SettingsError
from condmix.models.padding import Padding, Pair, pad_same


class Routing(nn.Module):
    """One gate per expert and image: sigmoid of a linear map of the globally pooled input (section 3).

    The released code has a bias in the linear map, the paper's formula has none: `bias` chooses.
    """

    def __init__(self, channels: int, experts: int, *, bias: bool = True) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, experts, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to gates (batch, experts) between 0 and 1."""
        pooled = torch.flatten(self.pool(x), 1)
        return torch.sigmoid(self.linear(pooled))


class CondConv2d(nn.Module):
    """A convolution whose kernel is mixed per image from `experts` kernels of the same shape.

    Parameters: `weight_eoihw` (experts, out, in / groups, kernel height, kernel width) and, if asked for,
    `bias_eo` (experts, out), mixed by the same gates. Bias is off by default: batch norm follows in all
    networks of the paper.

    Raises `SettingsError` where channels do not divide into groups or a number is below one.
    """

    weight_eoihw: nn.Parameter
    bias_eo: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        experts: int,
        stride: int | Pair = 1,
        padding: int | Pair | Padding = "symmetric",
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.experts = experts
        self.groups = groups
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(stride)
        self.dilation = _pair(dilation)
        self._check()
        self.same_padding = padding == "same"
        if padding == "symmetric":
            self.padding = (
                self.dilation[0] * (self.kernel_size[0] - 1) // 2,
                self.dilation[1] * (self.kernel_size[1] - 1) // 2,
            )
        else:
            self.padding = (0, 0) if isinstance(padding, str) else _pair(padding)
        self.weight_eoihw = nn.Parameter(torch.empty(experts, out_channels, in_channels // groups, *self.kernel_size))
        self.bias_eo = nn.Parameter(torch.empty(experts, out_channels)) if bias else None
        self.reset_parameters()

    def _check(self) -> None:
        problems = [
            f"{name} is {value}, expected at least 1"
            for name, value in (
                ("in_channels", self.in_channels),
                ("out_channels", self.out_channels),
                ("experts", self.experts),
                ("groups", self.groups),
                *(("kernel_size", size) for size in self.kernel_size),
                *(("stride", step) for step in self.stride),
                *(("dilation", step) for step in self.dilation),
            )
            if value < 1
        ]
        if self.groups > 0:
            problems += [
                f"{name} is {value}, which groups = {self.groups} does not divide"
                for name, value in (("in_channels", self.in_channels), ("out_channels", self.out_channels))
                if value % self.groups
            ]
        if problems:
            place = "CondConv2d"
            raise SettingsError(place, problems)

    def reset_parameters(self) -> None:
        """Each expert is drawn as an ordinary convolution is (He, fan-in); biases are zero.

        The fan is one expert's: that of the five-dimensional bank is wrong by the number of experts.
        """
        fan_in = math.prod(self.weight_eoihw.shape[2:])
        nn.init.normal_(self.weight_eoihw, 0.0, math.sqrt(2.0 / fan_in))
        if self.bias_eo is not None:
            nn.init.zeros_(self.bias_eo)

    def forward(self, x: Tensor, routing: Tensor) -> Tensor:
        """(batch, in_channels, height, width) and gates (batch, experts) to (batch, out_channels, h', w').

        The batch is moved into the groups, so that one convolution serves all images, each with its own
        kernel. `reshape` and not `view`: the input may be channels-last.
        """
        batch = x.shape[0]
        if routing.shape != (batch, self.experts):
            message = (
                f"CondConv2d: gates have shape {tuple(routing.shape)}, expected (batch, experts) = "
                f"({batch}, {self.experts}); give one gate per image and expert"
            )
            raise ValueError(message)
        padding = self.padding
        if self.same_padding:
            x, padding = pad_same(x, self.kernel_size, self.stride, self.dilation)
        kernels = torch.matmul(routing, self.weight_eoihw.reshape(self.experts, -1))
        kernels_oihw = kernels.reshape(batch * self.out_channels, *self.weight_eoihw.shape[2:])
        bias = None if self.bias_eo is None else torch.matmul(routing, self.bias_eo).reshape(-1)
        grouped = functional.conv2d(
            x.reshape(1, batch * self.in_channels, *x.shape[2:]),
            kernels_oihw,
            bias,
            self.stride,
            padding,
            self.dilation,
            self.groups * batch,
        )
        return grouped.reshape(batch, self.out_channels, *grouped.shape[2:])

    def extra_repr(self) -> str:
        """The choices that the parameter shapes do not show."""
        padding = "same" if self.same_padding else self.padding
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"experts={self.experts}, stride={self.stride}, padding={padding}, "
            f"dilation={self.dilation}, groups={self.groups}"
        )


class RoutedCondConv2d(nn.Module):
    """A CondConv layer that computes its own gates from its own input (routing per layer)."""

    def __init__(self, convolution: CondConv2d, *, routing_bias: bool = True) -> None:
        super().__init__()
        self.routing = Routing(convolution.in_channels, convolution.experts, bias=routing_bias)
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, h', w')."""
        mixed: Tensor = self.convolution(x, self.routing(x))
        return mixed


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
