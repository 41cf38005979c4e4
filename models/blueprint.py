"""What a name stands for before any weights: how to build the network, its sizes, its preprocessing."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from condmix.models import timm_source, zoo
from condmix.models.detector_settings import SsdMobileNetV1Settings, SsdMobileNetV2Settings
from condmix.models.errors import SettingsError, UnknownArchitectureError
from condmix.models.preprocessing import CROP_MODES, InputSize, Preprocessing, assumed

TIMM = "timm:"
__all__ = ["Blueprint", "assumed", "draw", "preprocessing_of", "with_sizes_of"]
_SIZES = ("num_classes", "in_channels")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blueprint:
    """A network that can be built. `architecture` is a zoo name or "timm:NAME", `settings` the changes to its
    defaults; `num_classes` and `input_size` (channels, height, width) are what comes out with them."""

    architecture: str
    settings: Mapping[str, object]
    num_classes: int
    input_size: InputSize
    preprocessing: Preprocessing
    notes: tuple[str, ...]

    @property
    def without_head(self) -> bool:
        """Whether the network gives features: weights of the whole one hold more than it needs."""
        return self.architecture.startswith(TIMM) and (
            self.num_classes == 0 or bool(self.settings.get("features_only"))
        )

    def build(self) -> nn.Module:
        """A network with fresh weights; torch's global generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            if self.architecture.startswith(TIMM):
                outputs = {key: self.settings[key] for key in timm_source.OUTPUT_SETTINGS if key in self.settings}
                name = self.architecture.removeprefix(TIMM)
                return timm_source.build(name, self.num_classes, self.input_size[0], outputs)
            return zoo.build(self.architecture, self.settings)


def draw(architecture: str, settings: Mapping[str, object] | None = None) -> Blueprint:
    """The blueprint of a zoo name or "timm:NAME" with these changes to its defaults.

    Raises `UnknownArchitectureError`, `SettingsError`, and `OptionalPackageError` without timm.
    """
    changes = dict(settings or {})
    if architecture.startswith(TIMM):
        return _draw_timm(architecture, changes)
    if architecture not in zoo.names() and timm_source.knows(architecture):
        raise UnknownArchitectureError(architecture, [f"{TIMM}{architecture}"])
    chosen = zoo.settings_for(architecture, changes)
    preprocessing = Preprocessing.default(chosen.in_channels)
    if isinstance(chosen, SsdMobileNetV1Settings | SsdMobileNetV2Settings):
        # Boxes are told in shares of the whole picture: nothing is cut off.
        preprocessing = dataclasses.replace(preprocessing, crop_mode="squash", crop_fraction=1.0)
    return Blueprint(
        architecture=architecture,
        settings=changes,
        num_classes=chosen.num_classes,
        input_size=(chosen.in_channels, chosen.input_size, chosen.input_size),
        preprocessing=preprocessing,
        notes=(assumed(preprocessing, "the file"),),
    )


def with_sizes_of(blueprint: Blueprint, needed: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Blueprint:
    """The blueprint with the number of classes and input channels that the file's tensors have.

    A tensor whose shape differs on one axis alone, where the network has its number of classes, tells the
    number of classes; likewise input channels on the second axis. Sizes set by hand stay; contradictions
    change nothing and are left to the comparison of shapes.
    """
    told: dict[str, set[int]] = {name: set() for name in _SIZES}
    for name, tensor in needed.items():
        there = tuple(found[name].shape) if name in found else ()
        axes = [axis for axis, size in enumerate(tensor.shape) if len(there) == tensor.ndim and size != there[axis]]
        if len(axes) != 1:
            continue
        axis = axes[0]
        if tensor.shape[axis] == blueprint.num_classes and axis in (0, 1):
            told["num_classes"].add(there[axis])
        if tensor.shape[axis] == blueprint.input_size[0] and axis == 1:
            told["in_channels"].add(there[axis])
    sizes = {name: sizes.pop() for name, sizes in told.items() if len(sizes) == 1 and name not in blueprint.settings}
    if not sizes:
        return blueprint
    return draw(blueprint.architecture, {**blueprint.settings, **sizes})


def _draw_timm(architecture: str, changes: dict[str, object]) -> Blueprint:
    name = architecture.removeprefix(TIMM)
    config = timm_source.data_config(name)
    valid = (*_SIZES, *timm_source.OUTPUT_SETTINGS)
    problems = [f"unknown setting {key!r} (valid: {', '.join(valid)})" for key in changes if key not in valid]
    problems += [
        f"{key} is {changes[key]!r}, expected a whole number{'' if least == 0 else ' above 0'}"
        for key, least in (("num_classes", 0), ("in_channels", 1))
        if key in changes and not (type(changes[key]) is int and changes[key] >= least)  # type: ignore[operator]
    ]
    problems += timm_source.setting_problems(changes)
    if problems:
        place = f"settings of {architecture}"
        raise SettingsError(place, problems)
    channels, height, width = config["input_size"]
    asked: dict[str, int] = {key: value for key in _SIZES if isinstance(value := changes.get(key), int)}
    sizes: dict[str, int] = {"num_classes": config["num_classes"], "in_channels": channels, **asked}
    preprocessing, notes = preprocessing_of(architecture, config, sizes["in_channels"])
    return Blueprint(
        architecture=architecture,
        settings=changes,
        num_classes=sizes["num_classes"],
        input_size=(sizes["in_channels"], height, width),
        preprocessing=preprocessing,
        notes=notes,
    )


def preprocessing_of(
    architecture: str, config: Mapping[str, object], channels: int
) -> tuple[Preprocessing, tuple[str, ...]]:
    """The preprocessing in timm's data config, for that many channels; notes say what was not kept."""
    notes = []
    mean, std = _floats(config["mean"]), _floats(config["std"])
    if len(mean) != channels:
        mean = (sum(mean) / len(mean),) * channels
        std = (sum(std) / len(std),) * channels
        notes.append(f"{architecture} has no mean and std for {channels} input channels: their averages are assumed")
    crop_mode, crop_fraction = str(config["crop_mode"]), float(str(config["crop_pct"]))
    if crop_mode not in CROP_MODES or crop_fraction > 1:
        notes.append(
            f"the crop of {architecture} ({crop_mode}, {crop_fraction}) adds a border, which is not done "
            "here: the whole picture is scaled to the input"
        )
        crop_mode, crop_fraction = "squash", 1.0
    preprocessing = Preprocessing(
        mean=mean,
        std=std,
        interpolation=str(config["interpolation"]),
        crop_fraction=crop_fraction,
        crop_mode=crop_mode,
    )
    return preprocessing, tuple(notes)


def _floats(values: object) -> tuple[float, ...]:
    return tuple(map(float, values)) if isinstance(values, list | tuple) else ()
