"""Short names for what is measured: the stem of its file, and only as much more as tells it from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

_SOURCES: tuple[Callable[[Path], str], ...] = (
    lambda path: path.stem,
    lambda path: path.name,
    lambda path: f"{path.absolute().parent.name}/{path.name}",
    str,
)


def file_names(files: Sequence[Path]) -> tuple[str, ...]:
    """One name a file, all different: stems; where two are the same, names with suffix, with folder, or whole paths.

    Files given under equal paths keep equal names: giving one twice is for the caller to refuse.
    """
    names = [""] * len(files)
    open_places = list(range(len(files)))
    for source in _SOURCES:
        for place in open_places:
            names[place] = source(files[place])
        # Those that are alone with their name keep it; a name given away is not given again.
        open_places = [place for place in open_places if names.count(names[place]) > 1]
    return tuple(names)


def subject_name(file_name: str, *, threads: int | None, batch: int | None, engine: str | None = None) -> str:
    """The name of a file run in one way; None where all subjects share it and it need not be said."""
    parts = [file_name]
    if batch is not None:
        parts.append(f"b{batch}")
    if threads is not None:
        parts.append(f"{threads}t")
    if engine is not None:
        parts.append(engine)
    return "@".join(parts)
