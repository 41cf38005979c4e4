"""Networks of the timm package by name, without its downloads. timm is optional and imported only here."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from torch import nn

from condmix.models.errors import OptionalPackageError, UnknownArchitectureError
from condmix.models.torchvision_operators import make_torchvision_importable


def build(name: str, num_classes: int | None = None, in_channels: int | None = None) -> nn.Module:
    """The timm network `name` with fresh weights; nothing is downloaded.

    `name` may carry a tag ("mixnet_s.ft_in1k"), which chooses the preprocessing; sizes left out are the
    name's own. Raises `UnknownArchitectureError`, and `OptionalPackageError` without timm.
    """
    check(name)
    sizes: dict[str, int] = {}
    if num_classes is not None:
        sizes["num_classes"] = num_classes
    if in_channels is not None:
        sizes["in_chans"] = in_channels
    network: nn.Module = _timm().create_model(name, pretrained=False, **sizes)
    return network


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
