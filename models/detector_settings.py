"""Settings of the detectors of the two papers: a MobileNet with the heads of SSD or of SSDLite."""

import dataclasses
from typing import Literal

from condmix.models.mobilenet_v1 import MobileNetV1Settings
from condmix.models.mobilenet_v2 import MobileNetV2Settings

Heads = Literal["ssd", "ssdlite"]
"""Ordinary 1x1 predictors and 3x3 extra layers, or separable ones (arXiv 1801.04381, section 6.2)."""

_UNUSED = {"dropout": "a detector", "condconv_classifier": "a detector"}
MOST_EXTRA_MAPS = 4
# The fields that both classes have are written out in both. In a common base their defaults would replace those of the
# backbone's settings (1000 classes, 224 pixels, a conditional classifier) only while that base stands in front of the
# backbone's, and two of them (input_size, heads) differ anyway. What is computed is shared.


def _problems(settings: "SsdMobileNetV1Settings | SsdMobileNetV2Settings") -> list[str]:
    found = []
    if not 0 < settings.smallest_anchor < settings.largest_anchor <= 1:
        found.append(
            f"smallest_anchor is {settings.smallest_anchor} and largest_anchor {settings.largest_anchor}, expected "
            "0 < smallest_anchor < largest_anchor <= 1"
        )
    if not 0 <= settings.extra_maps <= MOST_EXTRA_MAPS:
        found.append(f"extra_maps is {settings.extra_maps}, expected 0 to {MOST_EXTRA_MAPS}")
    if settings.finest_stride not in (8, 16):
        found.append(f"finest_stride is {settings.finest_stride}, expected 8 or 16")
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class SsdMobileNetV1Settings(MobileNetV1Settings):
    """Settings of SSD on MobileNetV1. `num_classes` counts no background: each class has a sigmoid of its own.
    `extra_maps` are the feature maps behind the backbone, each half as large as the one before; `finest_stride` 8 adds
    one in front, for small pictures."""

    num_classes: int = 80
    input_size: int = 300
    condconv_classifier: bool = False
    heads: Heads = "ssd"
    extra_maps: int = 4
    finest_stride: int = 16
    smallest_anchor: float = 0.2
    largest_anchor: float = 0.95

    def problems(self) -> list[str]:
        """Adds: anchors within the picture, at most four extra maps."""
        return [*super().problems(), *_problems(self)]

    def idle(self) -> dict[str, str]:
        """Adds: what only a classifier has."""
        return super().idle() | _UNUSED


@dataclasses.dataclass(frozen=True, kw_only=True)
class SsdMobileNetV2Settings(MobileNetV2Settings):
    """The same on MobileNetV2."""

    num_classes: int = 80
    input_size: int = 320
    condconv_classifier: bool = False
    heads: Heads = "ssdlite"
    extra_maps: int = 4
    finest_stride: int = 16
    smallest_anchor: float = 0.2
    largest_anchor: float = 0.95

    def problems(self) -> list[str]:
        """Adds: anchors within the picture, at most four extra maps."""
        return [*super().problems(), *_problems(self)]

    def idle(self) -> dict[str, str]:
        """Adds: what only a classifier has."""
        return super().idle() | _UNUSED
