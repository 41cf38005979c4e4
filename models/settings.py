"""Settings of a network: frozen, checked at construction, every problem reported at once."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Literal, TypeVar

from condmix.models.errors import SettingsError


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """What every network can be asked for. `input_size` is the side of the square input the network is
    meant for; the networks themselves take other sizes."""

    num_classes: int = 1000
    in_channels: int = 3
    input_size: int = 224
    width: float = 1.0
    dropout: float = 0.0
    batch_norm_epsilon: float = 1e-3
    batch_norm_momentum: float = 0.01

    def __post_init__(self) -> None:
        """Raises `SettingsError` with every problem; lists become tuples and whole floats stay floats."""
        problems = []
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _normalised(getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
            if not _fits(value, hints[field.name]):
                problems.append(f"{field.name} is {value!r}, expected {_spelled(hints[field.name])}")
        if not problems:
            problems = self.problems()
        if problems:
            raise SettingsError(type(self).__name__, problems)

    def problems(self) -> list[str]:
        """One sentence for each value out of range or combination that cannot be."""
        found = [
            f"{name} is {value}, expected at least 1"
            for name, value in (
                ("num_classes", self.num_classes),
                ("in_channels", self.in_channels),
                ("input_size", self.input_size),
            )
            if value < 1
        ]
        if not 0 < self.width < math.inf:
            found.append(f"width is {self.width}, expected a finite number above 0")
        if not 0 <= self.dropout < 1:
            found.append(f"dropout is {self.dropout}, expected from 0 to below 1")
        if not 0 < self.batch_norm_epsilon < 1:
            found.append(f"batch_norm_epsilon is {self.batch_norm_epsilon}, expected between 0 and 1")
        if not 0 < self.batch_norm_momentum <= 1:
            found.append(f"batch_norm_momentum is {self.batch_norm_momentum}, expected above 0, at most 1")
        return found

    def idle(self) -> dict[str, str]:
        """Fields without effect under the other choices, each with the choice that silences it."""
        return {}


Settings = TypeVar("Settings", bound=NetworkSettings)


def with_changes(defaults: Settings, changes: Mapping[str, object], place: str) -> Settings:
    """The defaults with the changes applied; `SettingsError` lists every unknown, wrong or idle one."""
    valid = [field.name for field in dataclasses.fields(defaults)]
    problems = []
    for key in changes:
        if key not in valid:
            nearest = difflib.get_close_matches(str(key), valid, n=3, cutoff=0.6)
            hint = f"nearest: {', '.join(nearest)}" if nearest else f"valid: {', '.join(valid)}"
            problems.append(f"unknown setting {key!r} ({hint})")
    known: dict[str, typing.Any] = {key: value for key, value in changes.items() if key in valid}
    try:
        changed = dataclasses.replace(defaults, **known)
    except SettingsError as error:
        raise SettingsError(place, [*problems, *error.problems]) from None
    idle = changed.idle()
    problems += [f"{key} has no effect with {idle[key]}: leave one of them out" for key in known if key in idle]
    if problems:
        raise SettingsError(place, problems)
    return changed


def _normalised(value: object, hint: object) -> object:
    """JSON has no tuples, and writes 1.0 as 1."""
    if isinstance(value, list):
        return tuple(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _fits(value: object, hint: object) -> bool:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, int) for item in value)
    if hint is type(None):
        return value is None
    if isinstance(value, bool) and hint is not bool:
        return False
    return isinstance(hint, type) and isinstance(value, hint)


def _spelled(hint: object) -> str:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return "one of " + ", ".join(repr(option) for option in typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_spelled(option) for option in typing.get_args(hint))
    names: dict[object, str] = {
        int: "a whole number",
        float: "a number",
        bool: "True or False",
        type(None): "None",
    }
    return names.get(hint, "a list of whole numbers")
