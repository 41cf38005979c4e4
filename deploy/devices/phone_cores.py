"""Which cores of a phone a measurement runs on: kinds of cores are told apart by their highest frequency."""

from __future__ import annotations

import re
from collections.abc import Sequence

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_facts import PhoneCore

FASTEST, SLOWEST, ALL = "fastest", "slowest", "all"
_KHZ_PER_GHZ = 1e6


def cores_problem(wanted: str) -> str | None:
    """None for a choice of cores that some phone may have, else what is wrong with it."""
    if wanted in (FASTEST, SLOWEST, ALL) or _numbers(wanted):
        return None
    return f"cores must be {FASTEST}, {SLOWEST}, {ALL}, or numbers such as 4-7 or 0,2, found {wanted!r}"


def clusters(cores: Sequence[PhoneCore]) -> list[tuple[PhoneCore, ...]]:
    """The cores by kind, the fastest kind first; cores that tell no frequency are one kind, the last."""
    speeds = sorted({core.maximum_khz or 0 for core in cores}, reverse=True)
    return [tuple(core for core in cores if (core.maximum_khz or 0) == speed) for speed in speeds]


def choose_cores(cores: Sequence[PhoneCore], wanted: str, threads: int, *, device: str) -> tuple[int, ...]:
    """The numbers of the cores, in order; empty when the phone lists none and `wanted` leaves it open.

    wanted: "fastest" or "slowest", of which as many kinds as `threads` need; "all"; or numbers such as "4-7" or "0,2".
    Raises DeviceError listing the cores there are.
    """
    numbers = [core.number for core in cores]
    if wanted == ALL:
        return tuple(numbers)
    if wanted in (FASTEST, SLOWEST):
        chosen: list[int] = []
        for kind in clusters(cores)[:: 1 if wanted == FASTEST else -1]:
            if len(chosen) >= threads:
                break
            chosen += [core.number for core in kind]
        return tuple(sorted(chosen))
    asked = _numbers(wanted)
    if not asked or (numbers and not set(asked) <= set(numbers)):
        expected = f"{FASTEST}, {SLOWEST}, {ALL}, or numbers such as 4-7 of its cores: {core_words(cores)}"
        raise DeviceError(device, "cores", f"{wanted!r} is no choice of cores", "Choose others.", expected=expected)
    return tuple(asked)


def core_words(cores: Sequence[PhoneCore]) -> str:
    """For a person: `0-3 at 1.80 GHz, 4-7 at 2.85 GHz`."""
    words = []
    for kind in reversed(clusters(cores)):
        speed = kind[0].maximum_khz
        named = "of unknown frequency" if speed is None else f"at {speed / _KHZ_PER_GHZ:.2f} GHz"
        words.append(f"{_span([core.number for core in kind])} {named}")
    return ", ".join(words) or "none are listed"


def _span(numbers: Sequence[int]) -> str:
    if len(numbers) > 1 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


def _numbers(text: str) -> list[int]:
    """Empty for what is not understood."""
    found: set[int] = set()
    for word in text.split(","):
        span = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", word.strip())
        if span is None:
            return []
        found |= set(range(int(span[1]), int(span[2] or span[1]) + 1))
    return sorted(found)
