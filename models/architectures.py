"""The list of networks: name, family, paper and default settings."""

import dataclasses
from typing import Any

from condmix.models.demonstration import CondConvDigitsSettings, MixDigitsSettings
from condmix.models.detector_settings import SsdMobileNetV1Settings, SsdMobileNetV2Settings
from condmix.models.efficientnet import EfficientNetSettings
from condmix.models.mixnet import MixNetSettings
from condmix.models.mnasnet_a1 import MnasNetSettings
from condmix.models.mobilenet_v1 import MobileNetV1Settings
from condmix.models.mobilenet_v2 import MobileNetV2Settings
from condmix.models.resnet50 import ResNetSettings
from condmix.models.settings import NetworkSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchitectureEntry:
    """One network of the zoo. `settings` are its defaults; `paper` is where it is described."""

    name: str
    family: str
    paper: str
    summary: str
    settings: NetworkSettings

    @property
    def input_size(self) -> tuple[int, int, int]:
        """Channels, height and width of the input it is meant for."""
        return input_size(self.settings)

    @property
    def num_classes(self) -> int:
        """How many class scores it gives."""
        return self.settings.num_classes


def input_size(settings: NetworkSettings) -> tuple[int, int, int]:
    """Channels, height and width of the input that these settings are meant for."""
    return settings.in_channels, settings.input_size, settings.input_size


CONDCONV = "CondConv, arXiv 1904.04971"
MIXCONV = "MixConv, arXiv 1907.09595"


def _entry(name: str, family: str, paper: str, settings: NetworkSettings, summary: str) -> ArchitectureEntry:
    return ArchitectureEntry(name=name, family=family, paper=paper, summary=summary, settings=settings)


_SHAPES: dict[str, Any] = {
    "num_classes": 5,
    "input_size": 96,
    "width": 0.25,
    "batch_norm_momentum": 0.1,
    "finest_stride": 8,
    "extra_maps": 1,
    "largest_anchor": 0.6,
}
"""Maps fine enough for small pictures, and a network that a CPU trains in a minute or two."""

ENTRIES = (
    _entry(
        "condconv_mobilenet_v1",
        "mobilenet_v1",
        CONDCONV,
        MobileNetV1Settings(),
        "MobileNetV1, CondConv from the sixth block on and in the classifier, 8 experts",
    ),
    _entry(
        "condconv_mobilenet_v2",
        "mobilenet_v2",
        CONDCONV,
        MobileNetV2Settings(),
        "MobileNetV2, CondConv in the last six blocks and in the classifier, 8 experts",
    ),
    _entry(
        "condconv_mnasnet_a1",
        "mnasnet_a1",
        CONDCONV,
        MnasNetSettings(),
        "MnasNet-A1, CondConv in the last three groups of blocks, 8 experts",
    ),
    _entry(
        "condconv_resnet50",
        "resnet50",
        CONDCONV,
        ResNetSettings(),
        "ResNet-50, CondConv in the last three blocks and in the classifier, 8 experts",
    ),
    _entry(
        "condconv_efficientnet_b0_4e",
        "efficientnet",
        CONDCONV,
        EfficientNetSettings(experts=4, dropout=0.25),
        "EfficientNet-B0, CondConv in the last three stages, 4 experts",
    ),
    _entry(
        "condconv_efficientnet_b0_8e",
        "efficientnet",
        CONDCONV,
        EfficientNetSettings(dropout=0.25),
        "EfficientNet-B0, CondConv in the last three stages, 8 experts",
    ),
    _entry(
        "condconv_efficientnet_b0_depth_8e",
        "efficientnet",
        CONDCONV,
        EfficientNetSettings(dropout=0.25, depth=1.1),
        "EfficientNet-B0 with 1.1 times the depth, CondConv in the last three stages, 8 experts",
    ),
    _entry(
        "mixconv_mobilenet_v1",
        "mobilenet_v1",
        MIXCONV,
        MobileNetV1Settings(kernels="mixconv"),
        "MobileNetV1, every depthwise layer with kernels 3, 5 and 7",
    ),
    _entry(
        "mixconv_mobilenet_v2",
        "mobilenet_v2",
        MIXCONV,
        MobileNetV2Settings(kernels="mixconv"),
        "MobileNetV2, every depthwise layer with kernels 3, 5 and 7",
    ),
    _entry("mixnet_s", "mixnet", MIXCONV, MixNetSettings(), "MixNet-S"),
    _entry("mixnet_m", "mixnet", MIXCONV, MixNetSettings(variant="m", dropout=0.25), "MixNet-M"),
    _entry(
        "mixnet_l",
        "mixnet",
        MIXCONV,
        MixNetSettings(variant="m", width=1.3, dropout=0.25),
        "MixNet-L: MixNet-M 1.3 times as wide",
    ),
    _entry(
        "mixnet_xl",
        "mixnet",
        "MixConv, arXiv 1907.09595; this size is from timm",
        MixNetSettings(variant="m", width=1.6, depth=1.2, dropout=0.25),
        "MixNet-XL: MixNet-M 1.6 times as wide and 1.2 times as deep",
    ),
    _entry(
        "mobilenet_v1",
        "mobilenet_v1",
        "MobileNets, arXiv 1704.04861",
        MobileNetV1Settings(kernels="static"),
        "MobileNetV1 with ordinary kernels",
    ),
    _entry(
        "mobilenet_v2",
        "mobilenet_v2",
        "MobileNetV2, arXiv 1801.04381",
        MobileNetV2Settings(kernels="static"),
        "MobileNetV2 with ordinary kernels",
    ),
    _entry(
        "mnasnet_a1",
        "mnasnet_a1",
        "MnasNet, arXiv 1807.11626",
        MnasNetSettings(kernels="static"),
        "MnasNet-A1 with ordinary kernels",
    ),
    _entry(
        "resnet50",
        "resnet50",
        "ResNet, arXiv 1512.03385",
        ResNetSettings(kernels="static"),
        "ResNet-50 with ordinary kernels",
    ),
    _entry(
        "efficientnet_b0",
        "efficientnet",
        "EfficientNet, arXiv 1905.11946",
        EfficientNetSettings(kernels="static"),
        "EfficientNet-B0 with ordinary kernels",
    ),
    _entry(
        "efficientnet_b0_depth",
        "efficientnet",
        "EfficientNet, arXiv 1905.11946",
        EfficientNetSettings(kernels="static", depth=1.1),
        "EfficientNet-B0 with 1.1 times the depth and ordinary kernels",
    ),
    _entry(
        "ssd_condconv_mobilenet_v1",
        "ssd_mobilenet_v1",
        CONDCONV,
        SsdMobileNetV1Settings(),
        "SSD on MobileNetV1, CondConv from the sixth block of the backbone on, 8 experts",
    ),
    _entry(
        "ssdlite_mixconv_mobilenet_v1",
        "ssd_mobilenet_v1",
        MIXCONV,
        SsdMobileNetV1Settings(kernels="mixconv", heads="ssdlite", input_size=320),
        "SSDLite on MobileNetV1, every depthwise layer of the backbone with kernels 3, 5 and 7",
    ),
    _entry(
        "ssdlite_mixconv_mobilenet_v2",
        "ssd_mobilenet_v2",
        MIXCONV,
        SsdMobileNetV2Settings(kernels="mixconv"),
        "SSDLite on MobileNetV2, every depthwise layer of the backbone with kernels 3, 5 and 7",
    ),
    _entry(
        "ssd_condconv_shapes",
        "ssd_mobilenet_v1",
        CONDCONV,
        SsdMobileNetV1Settings(experts=4, **_SHAPES),
        "a small SSD with CondConv for 96x96 pictures of shapes and digits",
    ),
    _entry(
        "ssdlite_mixconv_shapes",
        "ssd_mobilenet_v1",
        MIXCONV,
        SsdMobileNetV1Settings(kernels="mixconv", heads="ssdlite", **_SHAPES),
        "a small SSDLite with MixConv for 96x96 pictures of shapes and digits",
    ),
    _entry(
        "condconv_digits",
        "demonstration",
        CONDCONV,
        CondConvDigitsSettings(),
        "a small MobileNetV2 with CondConv for 32x32 grey images",
    ),
    _entry(
        "mixnet_digits",
        "demonstration",
        MIXCONV,
        MixDigitsSettings(),
        "a small MixNet for 32x32 grey images",
    ),
)
"""Every network of the zoo, the two papers' first."""
