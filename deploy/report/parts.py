"""What a report consists of, before it is HTML or Markdown: sections of groups of sentences, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns and rows of plain text, nothing escaped yet.

    numbers: the columns that stand to the right. wide: those whose text needs room.
    folded: HTML shows only its title until it is asked for the rest.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    title: str = ""
    folded: bool = False

    def __post_init__(self) -> None:
        if wrong := sorted({len(row) for row in self.rows} - {len(self.columns)}):
            message = f"table {self.title!r}: rows must have {len(self.columns)} cells, found {wrong}"
            raise ValueError(message)
        if self.folded and not self.title:
            message = "a folded table needs a title: it is all that is seen of it"
            raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its words below, what it shows (index, name), and the table of that.

    lettered: what it shows are the subjects, each with its letter.
    """

    svg: Markup
    caption: str
    legend: tuple[tuple[int, str], ...] = ()
    lettered: bool = True
    data: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """A part of a section, with a heading or without; only what there is appears."""

    heading: str = ""
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One heading of the report; `identity` is its anchor."""

    identity: str
    title: str
    groups: Sequence[Group]
