"""Two small networks for 32x32 grey images: one with CondConv, one with MixConv, quick to train on a CPU."""

import dataclasses

from condmix.models.blocks import InvertedResidualShape
from condmix.models.inverted_residual_network import InvertedResidualNetwork
from condmix.models.kernel_settings import CondConvSettings, MixSettings
from condmix.models.layers import round_channels

# (expansion, output channels, stride)
_CONDCONV_BLOCKS = ((1, 16, 1), (3, 24, 2), (3, 24, 1), (3, 40, 2), (3, 40, 1), (3, 64, 1))
_CONDCONV_HEAD = 128

# (kernel sizes, groups of the expansion, groups of the projection, expansion, output channels, stride)
_MIX_BLOCKS = (
    ((3,), 1, 1, 1, 16, 1),
    ((3, 5, 7), 1, 1, 3, 24, 2),
    ((3, 5), 2, 2, 3, 24, 1),
    ((3, 5, 7, 9), 1, 2, 3, 40, 2),
    ((3, 5, 7, 9, 11), 2, 1, 3, 40, 1),
)
_MIX_HEAD = 96
_STEM = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class CondConvDigitsSettings(CondConvSettings):
    """Settings of the CondConv demonstration network: ten classes of one-channel 32x32 images."""

    num_classes: int = 10
    in_channels: int = 1
    input_size: int = 32
    batch_norm_momentum: float = 0.1
    experts: int = 4

    def block_count(self) -> int:
        """Six blocks."""
        return len(_CONDCONV_BLOCKS)

    def paper_blocks(self) -> tuple[int, ...]:
        """The later four blocks, in the manner of the paper."""
        return tuple(range(2, len(_CONDCONV_BLOCKS)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixDigitsSettings(MixSettings):
    """Settings of the MixConv demonstration network: ten classes of one-channel 32x32 images."""

    num_classes: int = 10
    in_channels: int = 1
    input_size: int = 32
    batch_norm_momentum: float = 0.1


def condconv_digits(settings: CondConvDigitsSettings) -> InvertedResidualNetwork:
    """A MobileNetV2 in small: six inverted residual blocks, the last four with CondConv."""
    shapes = []
    channels = round_channels(_STEM * settings.width)
    for index, (expansion, outputs, stride) in enumerate(_CONDCONV_BLOCKS):
        out_channels = round_channels(outputs * settings.width)
        shapes.append(
            InvertedResidualShape(
                in_channels=channels,
                expanded_channels=channels * expansion,
                out_channels=out_channels,
                stride=stride,
                experts=settings.experts_of(index),
                routing_scope=settings.routing_scope,
            )
        )
        channels = out_channels
    return InvertedResidualNetwork(
        shapes,
        round_channels(_CONDCONV_HEAD * settings.width),
        settings,
        stem_activation="relu6",
        classifier_experts=settings.classifier_experts(),
    )


def mixnet_digits(settings: MixDigitsSettings) -> InvertedResidualNetwork:
    """A MixNet in small: mixed kernels from 3 to 11, 1x1 layers in two groups, squeeze-excite, SiLU."""
    mixed = settings.kernels == "mixconv"
    shapes = []
    channels = round_channels(_STEM * settings.width)
    for sizes, expand_groups, project_groups, expansion, outputs, stride in _MIX_BLOCKS:
        out_channels = round_channels(outputs * settings.width)
        shapes.append(
            InvertedResidualShape(
                in_channels=channels,
                expanded_channels=channels * expansion,
                out_channels=out_channels,
                stride=stride,
                kernel_sizes=sizes if mixed else (3,),
                expand_groups=expand_groups if mixed else 1,
                project_groups=project_groups if mixed else 1,
                squeeze_channels=channels // 2 if expansion > 1 else 0,
                activation="silu" if expansion > 1 else "relu",
                partition=settings.mix_partition,
                dilated=settings.mix_dilated,
                padding=settings.padding,
            )
        )
        channels = out_channels
    return InvertedResidualNetwork(shapes, round_channels(_MIX_HEAD * settings.width), settings, stem_activation="relu")
