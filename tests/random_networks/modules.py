"""From a plan to a PyTorch network with settled norms and routing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from condmix.models.settling import settled_in_one_pass
from tests.foreign.settle import example_images
from tests.random_networks.condconv import MixedConvolution
from tests.random_networks.plan import (
    CondConv,
    Convolution,
    Layer,
    MixConv,
    NetworkPlan,
    Residual,
    Shape,
    SqueezeExcite,
    Window,
)

_IMAGES = 16
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
}


class _Branches(nn.Module):
    """MixConv in the three usual ways of taking a map apart."""

    def __init__(self, plan: MixConv, size: tuple[int, int]) -> None:
        super().__init__()
        self.shares, self.style = list(plan.shares), plan.style
        self.convs = nn.ModuleList()
        for channels, kernel in zip(plan.shares, plan.kernels, strict=True):
            window = mixconv_window(plan, kernel)
            rows, columns = window.padded(size)
            conv = nn.Conv2d(channels, channels, kernel, plan.stride, groups=channels, bias=False)
            self.convs.append(nn.Sequential(nn.ZeroPad2d((*columns, *rows)), conv))

    def forward(self, x: Tensor) -> Tensor:
        starts = [sum(self.shares[:index]) for index in range(len(self.shares))]
        if self.style == "split":
            parts = list(torch.split(x, self.shares, 1))
        elif self.style == "slice":
            parts = [x[:, start : start + share] for start, share in zip(starts, self.shares, strict=True)]
        else:
            parts = [x.narrow(1, start, share) for start, share in zip(starts, self.shares, strict=True)]
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], 1)


class _Gate(nn.Module):
    def __init__(self, plan: SqueezeExcite, channels: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, plan.reduced, 1), nn.Conv2d(plan.reduced, channels, 1)
        self.hard = plan.hard

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * (F.hardsigmoid(gate) if self.hard else gate.sigmoid())


class _Added(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x) + x
        return y


class _Pooled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def mixconv_window(plan: MixConv, kernel: int) -> Window:
    """How a branch moves over its channels."""
    padding = "same" if plan.same else "symmetric"
    return Window(kernel=(kernel, kernel), stride=(plan.stride, plan.stride), padding=padding)


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """What a layer makes of a map. Raises ValueError where it does not fit."""
    if isinstance(layer, SqueezeExcite | Residual):
        return shape
    if isinstance(layer, MixConv):
        if sum(layer.shares) != shape.channels or len(layer.shares) != len(layer.kernels):
            message = f"{layer.shares} channels for kernels {layer.kernels} of a map of {shape.channels}"
            raise ValueError(message)
        window, channels = mixconv_window(layer, layer.kernels[0]), shape.channels
    else:
        if shape.channels % layer.groups or layer.channels % layer.groups:
            message = f"{layer.groups} groups of {shape.channels} to {layer.channels} channels"
            raise ValueError(message)
        window, channels = layer.window, layer.channels
    height, width = window.output((shape.height, shape.width))
    if min(height, width) < 1:
        message = f"a map of {shape.height}x{shape.width} is too small for {window}"
        raise ValueError(message)
    return Shape(channels=channels, height=height, width=width)


def network_of(plan: NetworkPlan) -> nn.Module:
    """The network in eval mode, the same for the same plan. Raises ValueError for a plan that cannot be."""
    size = (plan.image.channels, plan.image.height, plan.image.width)
    return settled_in_one_pass(
        lambda: _constructed(plan),
        seed=plan.seed,
        images=example_images(_IMAGES, size, plan.seed),
        routers=lambda network: [
            _last_linear(path, module)
            for path, module in network.named_modules()
            if isinstance(module, MixedConvolution)
        ],
    )


def _last_linear(path: str, module: MixedConvolution) -> str:
    names = [name for name, part in module.router.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return f"{path}.router.{names[-1]}"


def _constructed(plan: NetworkPlan) -> nn.Module:
    layers, shape = [], plan.image
    for layer in plan.layers:
        layers.append(_module(layer, shape))
        shape = shape_after(layer, shape)
    return nn.Sequential(nn.Sequential(*layers), _Pooled(), nn.Linear(shape.channels, plan.classes))


def _module(layer: Layer, shape: Shape) -> nn.Module:
    size = (shape.height, shape.width)
    if isinstance(layer, SqueezeExcite):
        return _Gate(layer, shape.channels)
    if isinstance(layer, Residual):
        return _Added(nn.Sequential(*(_module(inner, shape) for inner in layer.layers)))
    after = shape_after(layer, shape)
    front: list[nn.Module] = []
    if isinstance(layer, CondConv):
        core: nn.Module = MixedConvolution(layer, shape.channels, size)
    elif isinstance(layer, Convolution):
        core = _convolution(layer, shape.channels, size)
    else:
        core = _Branches(layer, size)
        if layer.expansion:
            front = [
                nn.Conv2d(shape.channels, shape.channels, 1, bias=False),
                nn.BatchNorm2d(shape.channels),
                nn.ReLU(),
            ]
    norm = [nn.BatchNorm2d(after.channels)] if layer.norm else []
    return nn.Sequential(*front, core, *norm, _ACTIVATIONS[layer.activation]())


def _convolution(layer: Convolution, in_channels: int, size: tuple[int, int]) -> nn.Module:
    window = layer.window
    rows, columns = window.padded(size)
    conv = nn.Conv2d(
        in_channels,
        layer.channels,
        window.kernel,
        window.stride,
        dilation=window.dilation,
        groups=layer.groups,
        bias=layer.bias,
    )
    return nn.Sequential(nn.ZeroPad2d((*columns, *rows)), conv)
