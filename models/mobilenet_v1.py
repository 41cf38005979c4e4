"""MobileNetV1 (arXiv 1704.04861) with ordinary kernels, CondConv or MixConv."""

import dataclasses

from torch import Tensor, nn

from condmix.models.blocks import Classifier, ConvNormAct, activation, batch_norm
from condmix.models.condconv import Routing
from condmix.models.initialise import initialise
from condmix.models.kernel_settings import EitherSettings
from condmix.models.layers import apply_layer, depthwise, pointwise, round_channels

_STEM = 32
# (output channels, stride) of the 13 separable blocks: table 1 of the paper.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNetV1Settings(EitherSettings):
    """Settings of MobileNetV1. With CondConv the classifier is CondConv too."""

    condconv_classifier: bool = True

    def block_count(self) -> int:
        """Thirteen separable blocks."""
        return len(_BLOCKS)

    def paper_blocks(self) -> tuple[int, ...]:
        """From the sixth separable block to the end."""
        return tuple(range(5, len(_BLOCKS)))


class SeparableBlock(nn.Module):
    """Depthwise, then 1x1, each with batch norm and ReLU6; with experts both share the block's routing."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, block: int, settings: MobileNetV1Settings
    ) -> None:
        super().__init__()
        experts = settings.experts_of(block)
        scope = settings.routing_scope
        self.routing = Routing(in_channels, experts) if experts and scope == "block" else None
        self.depthwise = depthwise(
            in_channels,
            settings.depthwise_kernels(),
            stride=stride,
            partition=settings.mix_partition,
            dilated=settings.mix_dilated,
            experts=experts,
            routing_scope=scope,
        )
        self.depthwise_norm = batch_norm(in_channels, settings)
        self.pointwise = pointwise(in_channels, out_channels, experts=experts, routing_scope=scope)
        self.pointwise_norm = batch_norm(out_channels, settings)
        self.activation = activation("relu6")

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, h', w')."""
        routing = None if self.routing is None else self.routing(x)
        y = self.activation(self.depthwise_norm(apply_layer(self.depthwise, x, routing)))
        z: Tensor = self.activation(self.pointwise_norm(apply_layer(self.pointwise, y, routing)))
        return z


class MobileNetV1(nn.Module):
    """Stem, 13 separable blocks, classifier."""

    def __init__(self, settings: MobileNetV1Settings) -> None:
        super().__init__()
        channels = round_channels(_STEM * settings.width)
        self.stem = ConvNormAct(settings.in_channels, channels, 3, settings, activation_name="relu6", stride=2)
        blocks = []
        for index, (outputs, stride) in enumerate(_BLOCKS):
            out_channels = round_channels(outputs * settings.width)
            blocks.append(SeparableBlock(channels, out_channels, stride, index, settings))
            channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.classifier = Classifier(channels, settings, experts=settings.classifier_experts())
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to class scores (batch, classes)."""
        scores: Tensor = self.classifier(self.blocks(self.stem(x)))
        return scores
