"""MobileNetV2 (arXiv 1801.04381) with ordinary kernels, CondConv or MixConv."""

import dataclasses

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.kernel_settings import EitherSettings
from condmix.models.layers import round_channels

_STEM = 32
_HEAD = 1280
# (expansion, output channels, repeats, stride of the first): table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNetV2Settings(EitherSettings):
    """Settings of MobileNetV2. With CondConv the classifier is CondConv too."""

    condconv_classifier: bool = True

    def block_count(self) -> int:
        """Seventeen inverted residual blocks."""
        return sum(repeats for _, _, repeats, _ in _STAGES)

    def paper_blocks(self) -> tuple[int, ...]:
        """The last six blocks."""
        return tuple(range(self.block_count() - 6, self.block_count()))


def mobilenet_v2(settings: MobileNetV2Settings) -> InvertedResidualNetwork:
    """MobileNetV2 as the settings say; the head is not made narrower than 1280 channels."""
    shapes: list[InvertedResidualShape] = []
    channels = round_channels(_STEM * settings.width)
    for expansion, outputs, repeats, first_stride in _STAGES:
        for repeat in range(repeats):
            out_channels = round_channels(outputs * settings.width)
            shapes.append(
                InvertedResidualShape(
                    in_channels=channels,
                    expanded_channels=channels * expansion,
                    out_channels=out_channels,
                    stride=first_stride if repeat == 0 else 1,
                    kernel_sizes=settings.depthwise_kernels(),
                    experts=settings.experts_of(len(shapes)),
                    routing_scope=settings.routing_scope,
                    partition=settings.mix_partition,
                    dilated=settings.mix_dilated,
                )
            )
            channels = out_channels
    return InvertedResidualNetwork(
        shapes,
        round_channels(_HEAD * max(settings.width, 1.0)),
        settings,
        stem_activation="relu6",
        classifier_experts=settings.classifier_experts(),
    )
