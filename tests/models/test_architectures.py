"""The list of networks: unique names, defaults, and what each is meant for."""

import dataclasses

import pytest

from condmix.models.architectures import ENTRIES, ArchitectureEntry
from condmix.models.efficientnet import EfficientNetSettings
from condmix.models.kernel_settings import KernelSettings

STATIC_TWINS = {
    "mobilenet_v1",
    "mobilenet_v2",
    "mnasnet_a1",
    "resnet50",
    "efficientnet_b0",
    "efficientnet_b0_depth",
}


DETECTORS = {
    "ssd_condconv_mobilenet_v1": (300, 80),
    "ssdlite_mixconv_mobilenet_v1": (320, 80),
    "ssdlite_mixconv_mobilenet_v2": (320, 80),
    "ssd_condconv_shapes": (96, 5),
    "ssdlite_mixconv_shapes": (96, 5),
}
"""Side of the input and classes."""


def test_the_list_is_complete_and_names_are_unique() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    assert set(names) == STATIC_TWINS | {
        "condconv_mobilenet_v1",
        "condconv_mobilenet_v2",
        "condconv_mnasnet_a1",
        "condconv_resnet50",
        "condconv_efficientnet_b0_4e",
        "condconv_efficientnet_b0_8e",
        "condconv_efficientnet_b0_depth_8e",
        "mixconv_mobilenet_v1",
        "mixconv_mobilenet_v2",
        "mixnet_s",
        "mixnet_m",
        "mixnet_l",
        "mixnet_xl",
        "condconv_digits",
        "mixnet_digits",
        *DETECTORS,
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_names_say_the_kind_of_kernels(entry: ArchitectureEntry) -> None:
    assert isinstance(entry.settings, KernelSettings)
    prefix = entry.name.split("_")[1 if entry.name in DETECTORS else 0]
    kinds = {"condconv": "condconv", "mixconv": "mixconv", "mixnet": "mixconv"}
    assert entry.settings.kernels == ("static" if entry.name in STATIC_TWINS else kinds[prefix])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_inputs_and_classes_are_imagenets_cocos_or_the_demonstrations(entry: ArchitectureEntry) -> None:
    if entry.name in DETECTORS:
        assert (entry.input_size[1], entry.num_classes) == DETECTORS[entry.name]
        assert entry.input_size == (3, entry.input_size[1], entry.input_size[1])
        return
    digits = entry.family == "demonstration"
    assert entry.input_size == ((1, 32, 32) if digits else (3, 224, 224))
    assert entry.num_classes == (10 if digits else 1000)


def test_a_static_twin_has_the_settings_of_its_network_but_for_the_kernels() -> None:
    by_name = {entry.name: entry.settings for entry in ENTRIES}
    mixed, twin = by_name["condconv_efficientnet_b0_depth_8e"], by_name["efficientnet_b0_depth"]
    assert isinstance(mixed, EfficientNetSettings)
    # Dropout differs in the released code: 0.25 with CondConv, 0.2 without.
    assert dataclasses.replace(mixed, kernels="static", dropout=0.2) == twin


def test_entries_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ENTRIES[0].name = "other"  # type: ignore[misc]
