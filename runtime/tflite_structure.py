"""Whether a TFLite file holds together: every offset within the file, every index within its list.

LiteRT follows both without a look and dies of a damaged file, so a file is walked before it is opened. The numbers of
fields are those of schema.fbs (TensorFlow Lite, version 3), the rules of offsets those of the FlatBuffers binary
format: a table begins with the distance to its vtable, which lists where in the table each field lies.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

IDENTIFIER = b"TFL3"
_DEEPEST = 8


class DamagedTfliteError(ValueError):
    """The file does not hold together; the text says where. Never leaves condmix.runtime."""


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Fields by number: tables, lists of tables by the name of theirs, lists by the bytes of an element.

    A text is a list of bytes. `required` are those without which LiteRT does not stand.
    """

    tables: Mapping[int, str] = field(default_factory=dict)
    lists_of_tables: Mapping[int, str] = field(default_factory=dict)
    lists: Mapping[int, int] = field(default_factory=dict)
    required: frozenset[int] = frozenset()


_SCHEMA = MappingProxyType(
    {
        "model": _Table(
            lists_of_tables={1: "operator code", 2: "subgraph", 4: "buffer", 6: "metadata", 7: "signature"},
            lists={3: 1, 5: 4},
            required=frozenset({0, 1, 2, 4}),
        ),
        "operator code": _Table(lists={1: 1}),
        "subgraph": _Table(
            lists_of_tables={0: "tensor", 3: "operator"}, lists={1: 4, 2: 4, 4: 1}, required=frozenset({0, 1, 2, 3})
        ),
        "tensor": _Table(tables={4: "quantization"}, lists={0: 4, 3: 1, 7: 4}),
        "quantization": _Table(lists={0: 4, 1: 4, 2: 4, 3: 8}),
        "operator": _Table(tables={4: "options"}, lists={1: 4, 2: 4, 5: 1, 8: 4}, required=frozenset({1, 2})),
        "options": _Table(),
        "buffer": _Table(lists={0: 1}),
        "metadata": _Table(lists={0: 1}),
        "signature": _Table(lists_of_tables={0: "name", 1: "name"}, lists={2: 1}, required=frozenset({0, 1})),
        "name": _Table(lists={0: 1}, required=frozenset({0})),
    }
)


def structure_problem(model: Path | bytes) -> str | None:
    """What does not hold together in the file, the first of it; None for a sound one. Raises OSError."""
    if isinstance(model, bytes):
        return _problem(model)
    with model.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return _problem(b"")
        # Mapped: the weights, nearly all of the file, are looked past and not read.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _problem(content)


def _problem(content: bytes | mmap.mmap) -> str | None:
    try:
        _Walk(content).check()
    except DamagedTfliteError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class _Found:
    """A table of the file: where it begins, and where its fields lie."""

    kind: str
    start: int
    fields: tuple[int, ...]

    def place(self, number: int) -> int | None:
        """Of the field's bytes; None for one that is not there."""
        offset = self.fields[number] if number < len(self.fields) else 0
        return self.start + offset if offset else None


class _Walk:
    """One file."""

    def __init__(self, content: bytes | mmap.mmap) -> None:
        self.content = content

    def check(self) -> None:
        """Raises DamagedTfliteError."""
        if len(self.content) < 8 or self.content[4:8] != IDENTIFIER:
            message = "it does not begin as a TFLite file does"
            raise DamagedTfliteError(message)
        model = self._table("model", self._number("<I", 0), 0)
        codes, buffers = self._count(model, 1), self._count(model, 4)
        subgraphs = list(self._children(model, 2))
        if not subgraphs:
            message = "it has no graph"
            raise DamagedTfliteError(message)
        for subgraph in subgraphs:
            tensors = self._count(subgraph, 0)
            for tensor in self._children(subgraph, 0):
                self._require_below(self._scalar(tensor, "<I", 2), buffers, "a tensor's buffer")
            for operator in self._children(subgraph, 3):
                self._require_below(self._scalar(operator, "<I", 0), codes, "an operator's code")
                self._require_indices(operator, 1, -1, tensors)
                self._require_indices(operator, 2, 0, tensors)
            for number in (1, 2):
                self._require_indices(subgraph, number, 0, tensors)
        for signature in self._children(model, 7):
            chosen = self._scalar(signature, "<I", 4)
            self._require_below(chosen, len(subgraphs), "a signature's graph")
            for number in (0, 1):
                for name in self._children(signature, number):
                    tensors = self._count(subgraphs[chosen], 0)
                    self._require_below(self._scalar(name, "<I", 1), tensors, "a signature's tensor")

    def _number(self, code: str, place: int) -> int:
        if place < 0 or place + struct.calcsize(code) > len(self.content):
            message = f"something lies at byte {place}, the file has {len(self.content)}"
            raise DamagedTfliteError(message)
        return int(struct.unpack_from(code, self.content, place)[0])

    def _table(self, kind: str, start: int, depth: int) -> _Found:
        """The table, and all below it, within the file."""
        if depth > _DEEPEST:
            message = f"a {kind} lies within itself"
            raise DamagedTfliteError(message)
        vtable = start - self._number("<i", start)
        length, size = self._number("<H", vtable), self._number("<H", vtable + 2)
        if length < 4 or length % 2 or vtable + length > len(self.content) or start + size > len(self.content):
            message = f"a {kind} lies beyond the end"
            raise DamagedTfliteError(message)
        fields = struct.unpack_from(f"<{length // 2 - 2}H", self.content, vtable + 4)
        if any(offset and not 4 <= offset < size for offset in fields):
            message = f"a field of a {kind} lies outside of it"
            raise DamagedTfliteError(message)
        found, schema = _Found(kind, start, fields), _SCHEMA[kind]
        missing = sorted(number for number in schema.required if found.place(number) is None)
        if missing:
            message = f"a {kind} lacks its field {missing[0]}"
            raise DamagedTfliteError(message)
        for number, below in schema.tables.items():
            place = found.place(number)
            if place is not None:
                self._table(below, place + self._number("<I", place), depth + 1)
        for number, bytes_each in schema.lists.items():
            self._list(found, number, bytes_each)
        for number, below in schema.lists_of_tables.items():
            for place in self._places(found, number):
                self._table(below, place, depth + 1)
        return found

    def _list(self, table: _Found, number: int, bytes_each: int) -> tuple[int, int]:
        """Where its first element lies, and how many there are; none for one that is not there."""
        place = table.place(number)
        if place is None:
            return 0, 0
        start = place + self._number("<I", place)
        count = self._number("<I", start)
        if start + 4 + count * bytes_each > len(self.content):
            message = f"a list of a {table.kind} lies beyond the end"
            raise DamagedTfliteError(message)
        return start + 4, count

    def _places(self, table: _Found, number: int) -> Iterator[int]:
        first, count = self._list(table, number, 4)
        for place in range(first, first + 4 * count, 4):
            yield place + self._number("<I", place)

    def _children(self, table: _Found, number: int) -> Iterator[_Found]:
        """The tables of a list, which have been walked."""
        for start in self._places(table, number):
            vtable = start - self._number("<i", start)
            length = self._number("<H", vtable)
            yield _Found("", start, struct.unpack_from(f"<{length // 2 - 2}H", self.content, vtable + 4))

    def _count(self, table: _Found, number: int) -> int:
        return self._list(table, number, 4)[1]

    def _scalar(self, table: _Found, code: str, number: int) -> int:
        place = table.place(number)
        return 0 if place is None else self._number(code, place)

    def _require_indices(self, table: _Found, number: int, least: int, count: int) -> None:
        first, length = self._list(table, number, 4)
        for index in struct.unpack_from(f"<{length}i", self.content, first):
            if not least <= index < count:
                message = f"a tensor has the number {index}, there are {count}"
                raise DamagedTfliteError(message)

    def _require_below(self, index: int, count: int, what: str) -> None:
        if index >= count:
            message = f"{what} has the number {index}, there are {count}"
            raise DamagedTfliteError(message)
