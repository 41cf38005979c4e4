"""SSD and SSDLite (arXiv 1512.02325, 1801.04381) on a MobileNet with ordinary kernels, CondConv or MixConv."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from condmix.models.anchors import anchors_a_cell, make_anchors
from condmix.models.blocks import ConvNormAct, InvertedResidual, batch_norm
from condmix.models.detector_settings import Heads, SsdMobileNetV1Settings, SsdMobileNetV2Settings
from condmix.models.initialise import initialise
from condmix.models.layers import round_channels
from condmix.models.mobilenet_v1 import MobileNetV1, SeparableBlock
from condmix.models.mobilenet_v2 import mobilenet_v2
from condmix.models.padding import conv2d

DetectorSettings = SsdMobileNetV1Settings | SsdMobileNetV2Settings

_EXTRA_CHANNELS = (512, 256, 256, 128)
_V1_READ = {8: 4, 16: 10}
"""The last separable block with that stride, counted from 0; the coarse map is that of the last block."""
_V2_READ = {8: 6, 16: 13}
"""The block whose expansion is the last map with that stride; the coarse map is that of the 1x1 head."""
_PRIOR = 0.01
"""The probability that an untrained detector gives every class: most anchors show nothing (arXiv 1708.02002)."""
_HEAD_GAIN = 0.1


class SeparableConvolution(nn.Module):
    """Depthwise 3x3, batch norm and ReLU6, then 1x1: SSDLite's convolution. What follows is the caller's."""

    def __init__(
        self, in_channels: int, out_channels: int, settings: DetectorSettings, *, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.depthwise = conv2d(in_channels, in_channels, 3, stride=stride, groups=in_channels)
        self.depthwise_norm = batch_norm(in_channels, settings)
        self.activation = nn.ReLU6()
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, h', w')."""
        y: Tensor = self.pointwise(self.activation(self.depthwise_norm(self.depthwise(x))))
        return y


class ExtraMap(nn.Module):
    """A 1x1 layer to half the channels, then a 3x3 one with stride 2, ordinary or separable."""

    def __init__(self, in_channels: int, out_channels: int, settings: DetectorSettings) -> None:
        super().__init__()
        half = out_channels // 2
        self.reduce = ConvNormAct(in_channels, half, 1, settings, activation_name="relu6")
        self.halve: nn.Module = (
            SeparableConvolution(half, out_channels, settings, stride=2)
            if settings.heads == "ssdlite"
            else conv2d(half, out_channels, 3, stride=2)
        )
        self.norm = batch_norm(out_channels, settings)
        self.activation = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, half, half)."""
        y: Tensor = self.activation(self.norm(self.halve(self.reduce(x))))
        return y


class Predictor(nn.Module):
    """One number of every kind for every anchor, of all maps: (batch, anchors, kinds)."""

    def __init__(self, channels: Sequence[int], kinds: int, settings: DetectorSettings) -> None:
        super().__init__()
        self.kinds = kinds
        self.maps = nn.ModuleList(
            _predictor(settings.heads, count, anchors_a_cell(index) * kinds, settings)
            for index, count in enumerate(channels)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps (batch, channels, height, width) to (batch, anchors, kinds), in the order of the anchors."""
        rows = []
        for layer, feature in zip(self.maps, features, strict=True):
            predicted = layer(feature).permute(0, 2, 3, 1)
            rows.append(predicted.reshape(predicted.shape[0], -1, self.kinds))
        return torch.cat(rows, dim=1)

    def initial_gains(self) -> Mapping[nn.Module, float]:
        """Small numbers: an untrained detector gives nearly its anchors. Depthwise layers keep their own gain."""
        return {_last_of(layer): _HEAD_GAIN for layer in self.maps}

    def start_at(self, bias: float) -> None:
        """All numbers start near `bias`."""
        for layer in self.maps:
            nn.init.constant_(_last_of(layer).get_parameter("bias"), bias)


class Detector(nn.Module):
    """Backbone, extra feature maps, and a predictor each of box deltas and of class scores.

    Scores are logits of independent sigmoids, without a class for the background, as in the focal loss's paper; deltas
    are read with `box_coding.decode` and the anchors that `anchors` gives.
    """

    def __init__(
        self, stem: nn.Module, blocks: nn.Sequential, head: nn.Module | None, settings: DetectorSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.stem = stem
        self.blocks = blocks
        self.head = head
        places = _V1_READ if head is None else _V2_READ
        self.read_blocks = tuple(place for stride, place in places.items() if stride >= settings.finest_stride)
        channels = _backbone_channels(blocks, head, self.read_blocks)
        extras = []
        for wanted in _EXTRA_CHANNELS[: settings.extra_maps]:
            extras.append(ExtraMap(channels[-1], round_channels(wanted * settings.width), settings))
            channels.append(round_channels(wanted * settings.width))
        self.extras = nn.ModuleList(extras)
        self.boxes = Predictor(channels, 4, settings)
        self.scores = Predictor(channels, settings.num_classes, settings)
        initialise(self)
        self.scores.start_at(-math.log((1 - _PRIOR) / _PRIOR))

    def features(self, x: Tensor) -> list[Tensor]:
        """The feature maps of images (batch, channels, height, width), finest first."""
        y = self.stem(x)
        maps = []
        for index, block in enumerate(self.blocks):
            if index in self.read_blocks and isinstance(block, InvertedResidual):
                expanded, y = block.with_expansion(y)
                maps.append(expanded)
                continue
            y = block(y)
            if index in self.read_blocks:
                maps.append(y)
        maps.append(y if self.head is None else self.head(y))
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return maps

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Images to `boxes` (batch, anchors, 4), deltas, and `scores` (batch, anchors, classes), logits."""
        maps = self.features(x)
        return {"boxes": self.boxes(maps), "scores": self.scores(maps)}

    def anchors(self, height: int, width: int) -> npt.NDArray[np.float32]:
        """The anchors (count, 4) for pictures of that size: centre x, centre y, width, height, in shares of it."""
        count = len(self.read_blocks) + 1 + self.settings.extra_maps
        strides = [self.settings.finest_stride << index for index in range(count)]
        sizes = [(-(-height // stride), -(-width // stride)) for stride in strides]
        return make_anchors(sizes, smallest=self.settings.smallest_anchor, largest=self.settings.largest_anchor)


def ssd_mobilenet_v1(settings: SsdMobileNetV1Settings) -> Detector:
    """SSD or SSDLite on MobileNetV1; the parts of the backbone are called as in the classifier."""
    backbone = MobileNetV1(settings)
    return Detector(backbone.stem, backbone.blocks, None, settings)


def ssd_mobilenet_v2(settings: SsdMobileNetV2Settings) -> Detector:
    """SSD or SSDLite on MobileNetV2; the parts of the backbone are called as in the classifier."""
    backbone = mobilenet_v2(settings)
    return Detector(backbone.stem, backbone.blocks, backbone.head, settings)


def _predictor(heads: Heads, in_channels: int, out_channels: int, settings: DetectorSettings) -> nn.Module:
    if heads == "ssdlite":
        return SeparableConvolution(in_channels, out_channels, settings, bias=True)
    return nn.Conv2d(in_channels, out_channels, 1)


def _last_of(predictor: nn.Module) -> nn.Module:
    return predictor.pointwise if isinstance(predictor, SeparableConvolution) else predictor


def _backbone_channels(blocks: nn.Sequential, head: nn.Module | None, read: Sequence[int]) -> list[int]:
    """Channels of the maps that are read from the backbone, finest first."""
    channels = []
    for place in (*read, *(() if head is not None else (len(blocks) - 1,))):
        block = blocks[place]
        if isinstance(block, InvertedResidual):
            channels.append(block.depthwise_norm.num_features)
        else:
            assert isinstance(block, SeparableBlock)
            channels.append(block.pointwise_norm.num_features)
    if isinstance(head, ConvNormAct):
        channels.append(head.norm.num_features)
    return channels
