"""ResNet-50 (arXiv 1512.03385) with ordinary kernels or CondConv."""

import dataclasses
from collections.abc import Mapping

from torch import Tensor, nn

from condmix.models.blocks import Classifier, ConvNormAct, activation, batch_norm
from condmix.models.condconv import Routing
from condmix.models.initialise import LINEAR_GAIN, RESIDUAL_BRANCH_GAIN, initialise
from condmix.models.kernel_settings import CondConvSettings
from condmix.models.layers import apply_layer, convolution, round_channels

_STEM = 64
_EXPANSION = 4
# (inner channels, repeats, stride of the first): table 1 of the paper.
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_CONDCONV_BLOCKS = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetSettings(CondConvSettings):
    """Settings of ResNet-50. With CondConv the classifier is CondConv too."""

    batch_norm_epsilon: float = 1e-5
    batch_norm_momentum: float = 0.1
    condconv_classifier: bool = True

    def block_count(self) -> int:
        """Sixteen residual blocks."""
        return sum(repeats for _, repeats, _ in _STAGES)

    def paper_blocks(self) -> tuple[int, ...]:
        """The last three residual blocks."""
        return tuple(range(self.block_count() - _CONDCONV_BLOCKS, self.block_count()))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1, added to the input or to its 1x1 projection, then ReLU.

    With experts the three convolutions share the block's routing; the projection of the shortcut stays
    ordinary.
    """

    def __init__(
        self, in_channels: int, inner_channels: int, stride: int, block: int, settings: ResNetSettings
    ) -> None:
        super().__init__()
        out_channels = inner_channels * _EXPANSION
        experts = settings.experts_of(block)
        scope = settings.routing_scope
        self.routing = Routing(in_channels, experts) if experts and scope == "block" else None
        self.reduce = convolution(in_channels, inner_channels, 1, experts=experts, routing_scope=scope)
        self.reduce_norm = batch_norm(inner_channels, settings)
        self.spatial = convolution(
            inner_channels, inner_channels, 3, stride=stride, experts=experts, routing_scope=scope
        )
        self.spatial_norm = batch_norm(inner_channels, settings)
        self.expand = convolution(inner_channels, out_channels, 1, experts=experts, routing_scope=scope)
        self.expand_norm = batch_norm(out_channels, settings)
        self.shortcut = (
            None
            if stride == 1 and in_channels == out_channels
            else nn.Sequential(
                convolution(in_channels, out_channels, 1, stride=stride), batch_norm(out_channels, settings)
            )
        )
        self.activation = activation("relu")

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, 4 * inner_channels, h', w')."""
        routing = None if self.routing is None else self.routing(x)
        y = self.activation(self.reduce_norm(apply_layer(self.reduce, x, routing)))
        y = self.activation(self.spatial_norm(apply_layer(self.spatial, y, routing)))
        y = self.expand_norm(apply_layer(self.expand, y, routing))
        shortcut = x if self.shortcut is None else self.shortcut(x)
        z: Tensor = self.activation(shortcut + y)
        return z

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """Branch and shortcut are added: a small branch, or half of each."""
        if self.shortcut is None:
            return {self.expand: RESIDUAL_BRANCH_GAIN}
        return {self.expand: LINEAR_GAIN / 2, self.shortcut: LINEAR_GAIN / 2}


class ResNet50(nn.Module):
    """A 7x7 stem, max pool, 16 bottleneck blocks, classifier."""

    def __init__(self, settings: ResNetSettings) -> None:
        super().__init__()
        channels = round_channels(_STEM * settings.width)
        self.stem = ConvNormAct(settings.in_channels, channels, 7, settings, activation_name="relu", stride=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        blocks: list[nn.Module] = []
        for inner, repeats, first_stride in _STAGES:
            inner_channels = round_channels(inner * settings.width)
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                blocks.append(Bottleneck(channels, inner_channels, stride, len(blocks), settings))
                channels = inner_channels * _EXPANSION
        self.blocks = nn.Sequential(*blocks)
        self.classifier = Classifier(channels, settings, experts=settings.classifier_experts())
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to class scores (batch, classes)."""
        scores: Tensor = self.classifier(self.blocks(self.pool(self.stem(x))))
        return scores
