"""MnasNet-A1 (arXiv 1807.11626) with ordinary kernels or CondConv."""

import dataclasses

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.kernel_settings import CondConvSettings
from condmix.models.layers import round_channels

_STEM = 32
_HEAD = 1280
# Expansion, kernel size, output channels, repeats, stride of the first, squeeze-excite, from the paper.
_STAGES = (
    (1, 3, 16, 1, 1, False),
    (6, 3, 24, 2, 2, False),
    (3, 5, 40, 3, 2, True),
    (6, 3, 80, 4, 2, False),
    (6, 3, 112, 2, 1, True),
    (6, 5, 160, 3, 2, True),
    (6, 3, 320, 1, 1, False),
)
_CONDCONV_STAGES = 3
_SQUEEZE_RATIO = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class MnasNetSettings(CondConvSettings):
    """Settings of MnasNet-A1."""

    def block_count(self) -> int:
        """Sixteen blocks."""
        return sum(stage[3] for stage in _STAGES)

    def paper_blocks(self) -> tuple[int, ...]:
        """The last three groups of blocks: six blocks."""
        blocks = sum(stage[3] for stage in _STAGES[-_CONDCONV_STAGES:])
        return tuple(range(self.block_count() - blocks, self.block_count()))


def mnasnet_a1(settings: MnasNetSettings) -> InvertedResidualNetwork:
    """MnasNet-A1 as the settings say; squeeze-excite has a quarter of the block's input channels."""
    shapes: list[InvertedResidualShape] = []
    channels = round_channels(_STEM * settings.width)
    for expansion, kernel_size, outputs, repeats, first_stride, squeeze in _STAGES:
        for repeat in range(repeats):
            out_channels = round_channels(outputs * settings.width)
            shapes.append(
                InvertedResidualShape(
                    in_channels=channels,
                    expanded_channels=channels * expansion,
                    out_channels=out_channels,
                    stride=first_stride if repeat == 0 else 1,
                    kernel_sizes=(kernel_size,),
                    squeeze_channels=max(1, int(channels * _SQUEEZE_RATIO)) if squeeze else 0,
                    activation="relu",
                    experts=settings.experts_of(len(shapes)),
                    routing_scope=settings.routing_scope,
                )
            )
            channels = out_channels
    return InvertedResidualNetwork(
        shapes,
        round_channels(_HEAD * max(settings.width, 1.0)),
        settings,
        stem_activation="relu",
        classifier_experts=settings.classifier_experts(),
    )
