"""How much memory a process holds, as Linux tells it; elsewhere nothing is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")
_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Memory:
    """resident_bytes: now (VmRSS). peak_bytes: the most so far (VmHWM). None where the system does not tell."""

    resident_bytes: int | None
    peak_bytes: int | None


def read_memory(status: Path = STATUS) -> Memory:
    """Of the calling process, from its /proc/self/status."""
    try:
        text = status.read_text(encoding="ascii", errors="replace")
    except OSError:
        text = ""
    found = {name: int(number) * _KIB for name, number in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.M)}
    return Memory(resident_bytes=found.get("VmRSS"), peak_bytes=found.get("VmHWM"))
