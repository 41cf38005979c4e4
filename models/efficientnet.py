"""EfficientNet-B0 and its deeper twin (arXiv 1905.11946) with ordinary kernels or CondConv."""

import dataclasses
import math

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.kernel_settings import CondConvSettings
from condmix.models.layers import round_channels
from condmix.models.padding import Padding

_STEM = 32
_HEAD = 1280
# (expansion, kernel size, output channels, repeats, stride of the first): table 1 of the paper.
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
_CONDCONV_STAGES = 3
_SQUEEZE_RATIO = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class EfficientNetSettings(CondConvSettings):
    """Settings of EfficientNet. `depth` multiplies the repeats of each stage, rounded up; `padding` "same"
    is what weights from TensorFlow were trained with."""

    dropout: float = 0.2
    depth: float = 1.0
    padding: Padding = "symmetric"

    def problems(self) -> list[str]:
        """Adds: a positive depth."""
        # Looked at first: the number of blocks follows from it.
        if not 0 < self.depth < math.inf:
            return [f"depth is {self.depth}, expected a finite number above 0"]
        return super().problems()

    def repeats(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(math.ceil(stage[3] * self.depth) for stage in _STAGES)

    def block_count(self) -> int:
        """Sixteen blocks at depth 1."""
        return sum(self.repeats())

    def paper_blocks(self) -> tuple[int, ...]:
        """The last three stages."""
        return tuple(range(sum(self.repeats()[:-_CONDCONV_STAGES]), self.block_count()))


def efficientnet(settings: EfficientNetSettings) -> InvertedResidualNetwork:
    """EfficientNet as the settings say; squeeze-excite has a quarter of the block's input channels."""
    shapes: list[InvertedResidualShape] = []
    channels = round_channels(_STEM * settings.width)
    for (expansion, kernel_size, outputs, _, first_stride), repeats in zip(_STAGES, settings.repeats(), strict=True):
        for repeat in range(repeats):
            out_channels = round_channels(outputs * settings.width)
            shapes.append(
                InvertedResidualShape(
                    in_channels=channels,
                    expanded_channels=channels * expansion,
                    out_channels=out_channels,
                    stride=first_stride if repeat == 0 else 1,
                    kernel_sizes=(kernel_size,),
                    squeeze_channels=max(1, int(channels * _SQUEEZE_RATIO)),
                    activation="silu",
                    experts=settings.experts_of(len(shapes)),
                    routing_scope=settings.routing_scope,
                    padding=settings.padding,
                )
            )
            channels = out_channels
    return InvertedResidualNetwork(
        shapes,
        round_channels(_HEAD * settings.width),
        settings,
        stem_activation="silu",
        padding=settings.padding,
        classifier_experts=settings.classifier_experts(),
    )
