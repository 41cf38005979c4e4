"""Style: a five-axis bank [experts, out, in/groups, height, width], routing as a module of its own.

Whole blocks share a routing module; the classifier is a CondConv on the pooled map with its own routing,
and what is left of the map is squeezed away in place, which at batch 1 takes the batch axis along: logits
of shape (10,).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case


class RouteFunction(nn.Module):
    """Feature map (batch, channels, height, width) to expert weights (batch, experts) in 0..1."""

    def __init__(self, channels: int, num_experts: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=1)
        self.fc = nn.Linear(channels, num_experts)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(x)
        x = x.view(x.size(0), -1)
        routing: Tensor = self.sigmoid(self.fc(x))
        return routing


class FiveAxisConv2d(nn.Module):
    """Kernel size, stride and padding are plain integers; the bias bank is optional and absent by default."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        num_experts: int = 3,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.groups = kernel_size, stride, padding, groups
        self.out_channels = out_channels
        self.weight = nn.Parameter(
            torch.empty(num_experts, out_channels, in_channels // groups, kernel_size, kernel_size)
        )
        for expert in range(num_experts):
            nn.init.kaiming_normal_(self.weight.data[expert])
        self.register_parameter("bias", None)

    def forward(self, x: Tensor, routing_weight: Tensor) -> Tensor:
        b, _, h, w = x.size()
        k, _, c_in_group, kh, kw = self.weight.size()
        x = x.view(1, -1, h, w)
        combined = torch.mm(routing_weight, self.weight.view(k, -1)).view(-1, c_in_group, kh, kw)
        y = F.conv2d(x, combined, bias=None, stride=self.stride, padding=self.padding, groups=self.groups * b)
        return y.view(b, self.out_channels, y.size(-2), y.size(-1))


class SeparableUnit(nn.Module):
    """Depthwise then pointwise CondConv under one routing."""

    def __init__(self, inplanes: int, outplanes: int, stride: int) -> None:
        super().__init__()
        self.route = RouteFunction(inplanes, 3)
        self.dw = FiveAxisConv2d(inplanes, inplanes, 3, stride=stride, padding=1, groups=inplanes)
        self.dw_norm = nn.BatchNorm2d(inplanes)
        self.pw = FiveAxisConv2d(inplanes, outplanes, 1)
        self.pw_norm = nn.BatchNorm2d(outplanes)

    def forward(self, x: Tensor) -> Tensor:
        routing = self.route(x)
        x = F.relu6(self.dw_norm(self.dw(x, routing)))
        return F.relu6(self.pw_norm(self.pw(x, routing)))


class FiveAxisNet(nn.Module):
    """Stem, two separable units, pooled map into a CondConv classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.features = nn.Sequential(SeparableUnit(8, 16, 2), SeparableUnit(16, 16, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier_route = RouteFunction(16, 3)
        self.classifier = FiveAxisConv2d(16, 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(self.conv_stem(x)))
        x = self.classifier(x, self.classifier_route(x))
        return x.squeeze_()


FIVE_AXIS_BANK = foreign_case(
    name="five_axis_bank",
    construct=FiveAxisNet,
    seed=103,
    condconv_layers=("features.0.dw", "features.0.pw", "features.1.dw", "features.1.pw", "classifier"),
    routers=("features.0.route.fc", "features.1.route.fc", "classifier_route.fc"),
    notes="5-D bank, view (not reshape), 1x1 CondConv classifier; output (10,) at batch 1, else (batch, 10)",
)
