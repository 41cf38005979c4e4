"""What a random network is: a record short enough to be kept, whose `repr` builds it again."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVATIONS = ("none", "relu", "relu6", "silu", "hardswish")
PADDINGS = ("symmetric", "same", "valid")
CONDCONV_STYLES = ("flat_bank", "einsum", "stack_sum", "sample_loop", "expert_outputs")
ROUTINGS = ("sigmoid", "softmax", "hidden", "conv")
MIXCONV_STYLES = ("split", "slice", "narrow")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Channels, height and width of a feature map."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a kernel moves over its input: (height, width) in pixels each; `padding` is one of PADDINGS."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "symmetric"

    @property
    def reach(self) -> tuple[int, int]:
        """Input pixels that one output pixel sees along (height, width)."""
        height, width = ((size - 1) * step + 1 for size, step in zip(self.kernel, self.dilation, strict=True))
        return (height, width)

    def padded(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros (before, after) along height and width for a map of `size`."""
        rows, columns = (
            _zeros(self.padding, length, reach, stride)
            for length, reach, stride in zip(size, self.reach, self.stride, strict=True)
        )
        return (rows, columns)

    def output(self, size: tuple[int, int]) -> tuple[int, int]:
        """Size of the result, below 1 where the kernel does not fit."""
        height, width = (
            (length + sum(zeros) - reach) // stride + 1
            for length, zeros, reach, stride in zip(size, self.padded(size), self.reach, self.stride, strict=True)
        )
        return (height, width)


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """An ordinary convolution."""

    channels: int
    window: Window
    groups: int = 1
    bias: bool = False
    norm: bool = True
    activation: str = "relu"


@dataclass(frozen=True, kw_only=True)
class CondConv:
    """A convolution whose kernel is mixed of `experts`, written in one of CONDCONV_STYLES."""

    channels: int
    window: Window
    groups: int = 1
    experts: int = 3
    style: str = "flat_bank"
    routing: str = "sigmoid"
    bias: bool = False
    norm: bool = True
    activation: str = "relu"


@dataclass(frozen=True, kw_only=True)
class MixConv:
    """Depthwise branches with `kernels` of their own over `shares` of the channels, in one of MIXCONV_STYLES."""

    shares: tuple[int, ...]
    kernels: tuple[int, ...]
    stride: int = 1
    style: str = "split"
    same: bool = False
    norm: bool = True
    activation: str = "relu"
    expansion: bool = False
    """Whether a 1x1 convolution with norm and activation of its own stands in front."""


@dataclass(frozen=True, kw_only=True)
class SqueezeExcite:
    """Channels scaled by a gate of their means."""

    reduced: int = 2
    hard: bool = False


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Layers that keep the shape, with their input added to their result."""

    layers: tuple[Convolution | CondConv | MixConv | SqueezeExcite, ...]


Layer = Convolution | CondConv | MixConv | SqueezeExcite | Residual


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """A classifier of images: layers, global pooling, a linear layer of `classes` outputs."""

    seed: int
    image: Shape
    layers: tuple[Layer, ...]
    classes: int = 5
    forced: tuple[str, str] = ("kernel", "parallel")
    """Forms of CondConv and MixConv to export beside the default ones."""


def _zeros(padding: str, length: int, reach: int, stride: int) -> tuple[int, int]:
    if padding == "valid":
        return (0, 0)
    if padding == "symmetric":
        return (reach // 2, reach // 2)
    total = max(0, (-(-length // stride) - 1) * stride + reach - length)
    return (total // 2, total - total // 2)
