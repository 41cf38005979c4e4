"""What a member may be called: one plain file name that means the same file on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MOST_BYTES = 200
_FORBIDDEN = frozenset('/\\:*?"<>|')
_WINDOWS_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
)


def name_problem(name: str) -> str | None:
    """Why a bundle may not have a member of that name; None when it may.

    There are no folders in a bundle, so a separator is refused, and with it every absolute path and every `..`.
    """
    if not name:
        return "its name is empty"
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "its name is an absolute path: a member is a plain file name"
    if ".." in name.replace("\\", "/").split("/"):
        return "its name leads out of the bundle's folder: a member is a plain file name"
    if found := sorted(_FORBIDDEN.intersection(name)):
        return f"its name has {' '.join(found)} in it: a member is a plain file name"
    if not name.isprintable():
        return "its name has characters that cannot be shown"
    if name.startswith(".") or name != name.strip() or name.endswith("."):
        return "its name begins with a dot or a space, or ends with one"
    if unicodedata.normalize("NFC", name) != name:
        return "its name is not in Unicode's composed form (NFC): two systems may take it for two files"
    if len(name.encode("utf-8", "replace")) > MOST_BYTES:
        return f"its name is longer than {MOST_BYTES} bytes"
    if name.partition(".")[0].casefold() in _WINDOWS_DEVICES:
        return "its name is that of a device on Windows"
    return None


def doubled(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Every name that is there before, or differs from an earlier one by case only: (the earlier, this one)."""
    seen: dict[str, str] = {}
    found = []
    for name in names:
        folded = name.casefold()
        if folded in seen:
            found.append((seen[folded], name))
        seen.setdefault(folded, name)
    return tuple(found)
