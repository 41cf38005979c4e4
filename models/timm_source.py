"""Networks of the timm package by name, without its downloads. timm is optional and imported only here."""

import difflib
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from condmix.models.errors import OptionalPackageError, SettingsError, UnknownArchitectureError
from condmix.models.torchvision_operators import make_torchvision_importable

OUTPUT_SETTINGS = ("features_only", "out_indices", "global_pool")
"""What changes the results of a timm network, beside the numbers of classes and of input channels."""


def build(
    name: str,
    num_classes: int | None = None,
    in_channels: int | None = None,
    settings: Mapping[str, object] = MappingProxyType({}),
) -> nn.Module:
    """The timm network `name` with fresh weights; nothing is downloaded.

    `name` may carry a tag ("mixnet_s.ft_in1k"), which chooses the preprocessing; sizes left out are the
    name's own. `settings` are of `OUTPUT_SETTINGS`. Raises `UnknownArchitectureError`, `SettingsError` where timm takes
    these settings for no such network, and `OptionalPackageError` without timm.
    """
    check(name)
    sizes: dict[str, int] = {}
    if num_classes is not None:
        sizes["num_classes"] = num_classes
    if in_channels is not None:
        sizes["in_chans"] = in_channels
    if settings.get("features_only"):
        sizes.pop("num_classes", None)
    try:
        network: nn.Module = _timm().create_model(name, pretrained=False, **sizes, **settings)
    except (AssertionError, TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
        if not settings and num_classes != 0:
            raise
        place = f"settings of timm:{name}"
        raise SettingsError(place, [f"timm does not build it so: {error}"]) from error
    return network


def setting_problems(settings: Mapping[str, object]) -> list[str]:
    """Why these are no settings of what a network gives; none where they are."""
    problems = []
    features = settings.get("features_only", False)
    if not isinstance(features, bool):
        problems.append(f"features_only is {features!r}, expected true or false")
    indices = settings.get("out_indices")
    if indices is not None and not (
        isinstance(indices, list | tuple) and indices and all(type(index) is int for index in indices)
    ):
        problems.append(f"out_indices is {indices!r}, expected a list of whole numbers such as [1,3]")
    if indices is not None and features is not True:
        problems.append("out_indices chooses among feature maps: set features_only=true as well")
    pool = settings.get("global_pool")
    if pool is not None and not isinstance(pool, str):
        problems.append(f"global_pool is {pool!r}, expected a name such as avg, or nothing for none")
    if pool is not None and features is True:
        problems.append("global_pool is about networks with a head, features_only has none: leave one out")
    return problems


def data_config(name: str) -> Mapping[str, Any]:
    """What timm knows of the name's input: `input_size` (channels, height, width), `mean`, `std`,
    `interpolation`, `crop_pct` and `crop_mode`; and `num_classes`. Raises as `build` does."""
    check(name)
    described = _timm().models.get_pretrained_cfg(name).to_dict()
    return {**config_of(described), "num_classes": described["num_classes"]}


def config_of(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same out of the `pretrained_cfg` that a timm network carries, without `num_classes`."""
    resolved: dict[str, Any] = _timm().data.resolve_data_config(pretrained_cfg=dict(described))
    return resolved


def names_like(name: str) -> tuple[str, ...]:
    """Up to five timm names that come near, nearest first; none without timm."""
    if not installed():
        return ()
    return tuple(difflib.get_close_matches(name.partition(".")[0], _timm().list_models(), n=5, cutoff=0.5))


def matching(pattern: str) -> tuple[str, ...]:
    """All timm names that a shell pattern matches; none without timm."""
    return tuple(_timm().list_models(pattern)) if installed() else ()


def knows(name: str) -> bool:
    """Whether timm is there and can build that name, tag included."""
    if not installed() or not _timm().is_model(name):
        return False
    _, dot, tag = name.partition(".")
    return not dot or tag in _tags(name)


def installed() -> bool:
    """Whether timm can be imported; it is imported to find out."""
    try:
        _timm()
    except OptionalPackageError:
        return False
    return True


def check(name: str) -> None:
    """Nothing happens if timm can build the name; else `UnknownArchitectureError` or `OptionalPackageError`.

    timm itself would take the address of a download for a network, so its list is asked first.
    """
    asked = f"timm:{name}"
    if not _timm().is_model(name):
        raise UnknownArchitectureError(asked, [f"timm:{near}" for near in names_like(name)])
    if not knows(name):
        bare = name.partition(".")[0]
        raise UnknownArchitectureError(asked, [f"timm:{bare}", *(f"timm:{bare}.{tag}" for tag in _tags(name))])


def _tags(name: str) -> tuple[str, ...]:
    bare = name.partition(".")[0]
    return tuple(full_name.partition(".")[2] for full_name in _timm().list_pretrained(f"{bare}.*"))


def _timm() -> Any:  # a module that is not there for everybody has no type
    try:
        make_torchvision_importable()
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        message = f"timm: {error.name} is not installed, networks named timm:... need it; pip install 'condmix[timm]'"
        raise OptionalPackageError(message) from None
