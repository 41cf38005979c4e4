"""The networks by name: which there are, what they are, and building one."""

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from condmix.models import (
    demonstration,
    detector,
    detector_settings,
    efficientnet,
    mixnet,
    mnasnet_a1,
    mobilenet_v1,
    mobilenet_v2,
    resnet50,
)
from condmix.models.architectures import ENTRIES, ArchitectureEntry
from condmix.models.errors import UnknownArchitectureError
from condmix.models.settings import NetworkSettings, with_changes

# Each family's settings class leads to its builder; the class is the argument's type.
_BUILDERS: Mapping[type[NetworkSettings], Callable[[Any], nn.Module]] = MappingProxyType(
    {
        mobilenet_v1.MobileNetV1Settings: mobilenet_v1.MobileNetV1,
        mobilenet_v2.MobileNetV2Settings: mobilenet_v2.mobilenet_v2,
        mnasnet_a1.MnasNetSettings: mnasnet_a1.mnasnet_a1,
        resnet50.ResNetSettings: resnet50.ResNet50,
        efficientnet.EfficientNetSettings: efficientnet.efficientnet,
        mixnet.MixNetSettings: mixnet.mixnet,
        detector_settings.SsdMobileNetV1Settings: detector.ssd_mobilenet_v1,
        detector_settings.SsdMobileNetV2Settings: detector.ssd_mobilenet_v2,
        demonstration.CondConvDigitsSettings: demonstration.condconv_digits,
        demonstration.MixDigitsSettings: demonstration.mixnet_digits,
    }
)

_ENTRIES: Mapping[str, ArchitectureEntry] = MappingProxyType({entry.name: entry for entry in ENTRIES})


def names() -> tuple[str, ...]:
    """Every name that `describe` and `build` know."""
    return tuple(_ENTRIES)


def describe(name: str) -> ArchitectureEntry:
    """The entry of that name; `UnknownArchitectureError` with the nearest names if there is none."""
    if name not in _ENTRIES:
        raise UnknownArchitectureError(name, difflib.get_close_matches(name, names(), n=3, cutoff=0.4))
    return _ENTRIES[name]


def settings_for(name: str, changes: Mapping[str, object] | None = None) -> NetworkSettings:
    """The named network's defaults with the changes applied; `SettingsError` lists every wrong one."""
    return with_changes(describe(name).settings, changes or {}, f"settings of {name}")


def build(name: str, settings: Mapping[str, object] | None = None) -> nn.Module:
    """The named network with fresh weights, in training mode as torch builds it.

    `settings` are changes to the entry's defaults. Raises `UnknownArchitectureError` and `SettingsError`.
    """
    chosen = settings_for(name, settings)
    return _BUILDERS[type(chosen)](chosen)
