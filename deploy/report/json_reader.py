"""Reading plain JSON of unknown origin: every fault is noted with its place, and reading goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

Item = TypeVar("Item")


class JsonReader:
    """A JSON value with its place in the file; `problems` is shared by all readers of one file."""

    def __init__(self, value: object, *, place: str, problems: list[str]) -> None:
        self.value = value
        self.place = place
        self.problems = problems

    def child(self, key: str) -> JsonReader:
        """The value under a key, None where it is not there or this is no object."""
        value = self.value.get(key) if isinstance(self.value, Mapping) else None
        return JsonReader(value, place=f"{self.place}.{key}", problems=self.problems)

    def mapping(self, read: Callable[[JsonReader], Item]) -> dict[str, Item]:
        """Every value of an object, read; empty where there is none."""
        if not self._is(Mapping, "an object"):
            return {}
        assert isinstance(self.value, Mapping)
        return {
            str(key): read(JsonReader(value, place=f"{self.place}[{key!r}]", problems=self.problems))
            for key, value in self.value.items()
        }

    def items(self, read: Callable[[JsonReader], Item]) -> tuple[Item, ...]:
        """Every item of a list, read; empty where there is none."""
        if not self._is(list, "a list"):
            return ()
        assert isinstance(self.value, list)
        return tuple(
            read(JsonReader(value, place=f"{self.place}[{number}]", problems=self.problems))
            for number, value in enumerate(self.value)
        )

    def text(self) -> str:
        """A text, empty after a fault."""
        return str(self.value) if self._is(str, "a text") else ""

    def optional_text(self) -> str | None:
        """A text or None."""
        return None if self.value is None else self.text()

    def number(self, *, least: float = 0.0) -> float:
        """A finite number of at least `least`; 0 after a fault."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._fault("a number")
        elif value < least:
            self.problems.append(f"{self.place} must be at least {least:g}, found {value}")
        else:
            return float(value)
        return 0.0

    def optional_number(self) -> float | None:
        """A number of at least 0, or None."""
        return None if self.value is None else self.number()

    def whole(self) -> int:
        """A whole number of at least 0; 0 after a fault."""
        if type(self.value) is int and self.value >= 0:
            return self.value
        self._fault("a whole number of at least 0")
        return 0

    def truth(self) -> bool | None:
        """True, False, or None for not known."""
        if self.value is None or isinstance(self.value, bool):
            return self.value
        self._fault("true, false or null")
        return None

    def _is(self, kind: type, expected: str) -> bool:
        if isinstance(self.value, kind):
            return True
        self._fault(expected)
        return False

    def _fault(self, expected: str) -> None:
        found = "nothing" if self.value is None else repr(self.value)
        if len(found) > 60:
            found = f"{found[:57]}..."
        self.problems.append(f"{self.place} must be {expected}, found {found}")
