"""Our own weights file: tensors and plain data in one dict, written with torch.save.

format        "condmix-checkpoint"
version       1
architecture  name of the zoo, or "timm:NAME"
settings      changes to the architecture's defaults, by name
state_dict    tensors by name
input_size    [channels, height, width]
preprocessing fields of `Preprocessing`
class_names   list of texts, or None
remarks       list of texts: how it was made
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor

from condmix.models.errors import CheckpointError, SettingsError
from condmix.models.preprocessing import InputSize, Preprocessing

FORMAT = "condmix-checkpoint"
VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointContents:
    """What our own file holds. `input_size` is channels, height, width."""

    architecture: str
    settings: Mapping[str, object]
    state_dict: Mapping[str, Tensor]
    input_size: InputSize
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None
    remarks: tuple[str, ...]


def is_own(content: object) -> bool:
    """Whether the content of a file claims to be in this format."""
    return isinstance(content, Mapping) and content.get("format") == FORMAT


def encode(contents: CheckpointContents) -> dict[str, object]:
    """The dict that goes into the file; `CheckpointError` names what is no plain data."""
    encoded = {
        "format": FORMAT,
        "version": VERSION,
        "architecture": contents.architecture,
        "settings": as_plain(contents.settings),
        "state_dict": dict(contents.state_dict),
        "input_size": list(contents.input_size),
        "preprocessing": contents.preprocessing.to_dict(),
        "class_names": None if contents.class_names is None else list(contents.class_names),
        "remarks": list(contents.remarks),
    }
    problems = _problems(encoded)
    if problems:
        message = f"cannot be saved as a checkpoint: {'; '.join(problems)}"
        raise CheckpointError(message)
    return encoded


def as_plain(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings as they stand in a file, which has lists and no tuples."""
    return {name: _with_lists(value) for name, value in settings.items()}


def decode(place: str, content: Mapping[str, Any]) -> CheckpointContents:
    """The contents of a dict in this format; `CheckpointError` with every field that is wrong."""
    version = content.get("version")
    if version != VERSION:
        message = (
            f"{place}: has version {version!r} of the checkpoint format, this condmix reads version "
            f"{VERSION}; read it with the condmix that wrote it, or a newer one"
        )
        raise CheckpointError(message)
    problems = [f"unknown field {name!r}" for name in content if name not in (*_FIELDS, "format", "version")]
    problems += _problems(content)
    preprocessing = None
    if isinstance(content.get("preprocessing"), Mapping):
        try:
            preprocessing = Preprocessing.from_dict(content["preprocessing"])
        except SettingsError as error:
            problems.append(str(error))
    if problems or preprocessing is None:
        message = f"{place}: is a damaged checkpoint: {'; '.join(problems)}; save it again"
        raise CheckpointError(message)
    channels, height, width = content["input_size"]
    names = content["class_names"]
    return CheckpointContents(
        architecture=content["architecture"],
        settings=dict(content["settings"]),
        state_dict=dict(content["state_dict"]),
        input_size=(channels, height, width),
        preprocessing=preprocessing,
        class_names=None if names is None else tuple(names),
        remarks=tuple(content["remarks"]),
    )


def _with_lists(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_with_lists(item) for item in value]
    return value


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is str for item in value)


def _is_settings(value: object) -> bool:
    return isinstance(value, Mapping) and all(type(name) is str and _is_plain(item) for name, item in value.items())


def _is_tensors(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(type(name) is str and isinstance(item, Tensor) for name, item in value.items())
    )


def _is_input_size(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(item) is int and item > 0 for item in value)


_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        "architecture": (lambda value: type(value) is str and bool(value), "a name"),
        "settings": (_is_settings, "names with numbers, texts, lists of them or None"),
        "state_dict": (_is_tensors, "names with tensors, at least one"),
        "input_size": (_is_input_size, "[channels, height, width], whole numbers above 0"),
        "preprocessing": (lambda value: isinstance(value, Mapping), "a dict"),
        "class_names": (lambda value: value is None or (_is_texts(value) and bool(value)), "texts or None"),
        "remarks": (_is_texts, "texts"),
    }
)


def _problems(content: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, (right, wanted) in _FIELDS.items():
        if name not in content:
            problems.append(f"field {name!r} is absent")
        elif not right(content[name]):
            found = content[name]
            shown = f"a {type(found).__name__}" if isinstance(found, Mapping | Tensor) else repr(found)
            problems.append(f"{name} is {shown}, expected {wanted}")
    return problems
