"""Reading the parts of a bench record back from plain data: lists of numbers, tuples, lists of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from condmix.runtime.errors import InvalidRecordError

Part = TypeVar("Part")
NULL = type(None)


def whole_numbers(values: Mapping[str, object], key: str, *, record: str) -> tuple[int, ...]:
    """The list under `key` as a tuple. Raises InvalidRecordError when something else than an int is in it."""
    found = cast("list[object]", values[key])
    for place, one in enumerate(found):
        if type(one) is not int:
            raise InvalidRecordError([f"{key!r}[{place}] must be int, found {one!r}"], record=record)
    return tuple(cast("list[int]", found))


def texts(values: Mapping[str, object], key: str, *, record: str) -> tuple[str, ...]:
    """The list under `key` as a tuple. Raises InvalidRecordError when something else than a str is in it."""
    found = cast("list[object]", values[key])
    for place, one in enumerate(found):
        if not isinstance(one, str):
            raise InvalidRecordError([f"{key!r}[{place}] must be str, found {one!r}"], record=record)
    return tuple(cast("list[str]", found))


def shapes_by_name(values: Mapping[str, object], key: str, *, record: str) -> dict[str, tuple[int, ...]]:
    """The mapping name -> list of ints under `key`. Raises InvalidRecordError."""
    found = cast("Mapping[str, object]", values[key])
    if wrong := [name for name, shape in found.items() if not isinstance(shape, list | tuple)]:
        raise InvalidRecordError([f"{key!r}[{wrong[0]!r}] must be list, found {found[wrong[0]]!r}"], record=record)
    return {name: whole_numbers(found, name, record=record) for name in found}


def numbers_by_name(values: Mapping[str, object], key: str, *, record: str) -> dict[str, float]:
    """The mapping name -> number under `key`. Raises InvalidRecordError."""
    found = cast("Mapping[str, object]", values[key])
    for name, one in found.items():
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise InvalidRecordError([f"{key!r}[{name!r}] must be float, found {one!r}"], record=record)
    return {name: float(cast(float, one)) for name, one in found.items()}


def texts_by_name(values: Mapping[str, object], key: str, *, record: str) -> dict[str, str]:
    """The mapping name -> str under `key`. Raises InvalidRecordError."""
    found = cast("Mapping[str, object]", values[key])
    for name, one in found.items():
        if not isinstance(one, str):
            raise InvalidRecordError([f"{key!r}[{name!r}] must be str, found {one!r}"], record=record)
    return dict(cast("Mapping[str, str]", found))


def parts(values: Mapping[str, object], key: str, read: Callable[[object], Part]) -> tuple[Part, ...]:
    """Every item of the list under `key`, read as a record of its own."""
    return tuple(read(item) for item in cast("list[object]", values[key]))
