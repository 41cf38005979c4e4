"""What a network returns, taken apart: its tensors in order, and the names that its own code gives them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import torch

Path = tuple[str | int, ...]
"""Where a tensor stands: dictionary keys, field names and places, from the outside in."""


def located_tensors(result: object) -> list[tuple[Path, torch.Tensor]]:
    """The tensors of a network's result with their places, in order; None counts as nothing.

    Mappings, named tuples, dataclasses, tuples and lists are taken apart, to any depth.
    Raises TypeError naming every place that holds anything else, or when there is no tensor at all.
    """
    found = list(_walk(result, ()))
    problems = [
        f"{_spoken(path)} is of type {type(item).__name__}"
        for path, item in found
        if not isinstance(item, torch.Tensor)
    ]
    if problems or not found:
        message = f"{'; '.join(problems) or 'nothing was returned'}: expected tensors, or None for nothing"
        raise TypeError(message)
    return [(path, item) for path, item in found if isinstance(item, torch.Tensor)]


def tensors_of(result: object) -> list[torch.Tensor]:
    """The same without the places."""
    return [tensor for _, tensor in located_tensors(result)]


def names_of(paths: Sequence[Path]) -> tuple[str | None, ...]:
    """The name of each place, unique: its keys and fields joined, or None where there is none to be read.

    A place in a list counts on from the name before it (`features_0`), one outside of all names as `output0`.
    """
    names = [_name(path) for path in paths]
    taken = {name for name in names if name is not None and names.count(name) == 1}
    given: list[str | None] = []
    for name in names:
        chosen, number = name, 2
        while chosen is not None and names.count(name) > 1 and chosen in taken:
            chosen, number = f"{name}_{number}", number + 1
        if chosen is not None:
            taken.add(chosen)
        given.append(chosen)
    return tuple(given)


def _walk(item: object, path: Path) -> Iterator[tuple[Path, object]]:
    if item is None:
        return
    if isinstance(item, Mapping):
        parts: Sequence[tuple[str | int, object]] = [(str(key), value) for key, value in item.items()]
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        parts = [(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    elif isinstance(item, tuple) and hasattr(item, "_fields"):
        parts = list(zip(item._fields, item, strict=True))
    elif isinstance(item, tuple | list):
        parts = list(enumerate(item))
    else:
        yield path, item
        return
    for key, value in parts:
        yield from _walk(value, (*path, key))


def _name(path: Path) -> str | None:
    if all(isinstance(part, int) for part in path):
        return None
    first = f"output{path[0]}" if isinstance(path[0], int) else path[0]
    return "_".join(str(part) for part in (first, *path[1:]) if part != "") or None


def _spoken(path: Path) -> str:
    return "the result" if not path else f"the result at {'.'.join(map(str, path))}"
