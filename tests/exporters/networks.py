"""Small PyTorch networks for the tests of capture, build and verification."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from condmix.models.condconv import CondConv2d, Routing
from condmix.models.mixconv import MixConv2d, MixPointwise2d

INPUT_SIZE = (3, 9, 8)


class BothConstructs(nn.Module):
    """stem -> dense and depthwise CondConv with one routing -> expansion, MixConv, grouped pointwise -> classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.routing = Routing(6, 3)
        self.cond = CondConv2d(6, 8, 3, experts=3)
        self.cond_norm = nn.BatchNorm2d(8)
        self.depthwise = CondConv2d(8, 8, 3, experts=3, groups=8, bias=True)
        self.expand = nn.Sequential(nn.Conv2d(8, 12, 1, bias=False), nn.BatchNorm2d(12), nn.SiLU())
        self.mix = MixConv2d(12, (3, 5))
        self.mix_norm = nn.BatchNorm2d(12)
        self.project = MixPointwise2d(12, 10)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(10, 5)

    def settle_routing(self, generator: torch.Generator) -> None:
        """Noise opens every gate half and moves it: an expert that is never opened could hold anything."""
        with torch.no_grad():
            noise = torch.randn((32, *INPUT_SIZE), generator=generator)
            pooled = self.routing.pool(self.stem(noise)).flatten(1)
            linear = self.routing.linear
            linear.weight.mul_(2.0 / (pooled @ linear.weight.T).std(dim=0)[:, None])
            linear.bias.copy_(-(pooled @ linear.weight.T).mean(dim=0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        gates = self.routing(x)
        x = torch.relu(self.cond_norm(self.cond(x, gates)))
        x = self.depthwise(x, gates)
        x = self.project(self.mix_norm(self.mix(self.expand(x))))
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits


class Plain(nn.Module):
    """A convolution with its norm and a classifier; neither construct."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.classifier = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return logits


class Squeezed(Plain):
    """The same, but one image gives a vector."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(0)


class TwoHeads(Plain):
    """The same with two results."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        features = torch.relu(self.norm(self.conv(x)))
        return features, self.classifier(features.mean((2, 3)))


class DataDependent(Plain):
    """Control flow that depends on the values of the image."""

    def forward(self, x: Tensor) -> Tensor:
        if x.mean() > 0:
            x = -x
        return super().forward(x)


class FixedSize(nn.Module):
    """A classifier that fits one image size only."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(3 * 9 * 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(x.flatten(1))
        return logits


class Raising(nn.Module):
    """A forward pass that gives up."""

    def forward(self, x: Tensor) -> Tensor:
        del x
        message = "this head was never finished"
        raise NotImplementedError(message)


class Float32Inside(Plain):
    """A tensor made in float32 whatever the input is: it does not run in float64."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) @ torch.eye(5)


class IllConditioned(Plain):
    """Large numbers that cancel: float32 keeps two digits of the result."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return (logits + 65536.0) - 65536.0


class NotFinite(Plain):
    """A logarithm of what may be negative."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).log()


def settled(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """The network with weights under which values keep their size and the routing moves, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            per_output = parameter[0] if parameter.ndim < 5 else parameter[0, 0]
            spread = 1 / math.sqrt(max(per_output.numel(), 1)) if parameter.ndim > 1 else 0.3
            parameter.normal_(0.0, spread, generator=generator)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0.0, 0.5, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
    network.eval()
    if isinstance(network, BothConstructs):
        network.settle_routing(generator)
    return network
