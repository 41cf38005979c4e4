"""How many bytes a second move between memory and core, measured with copies too large for any cache."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import numpy as np

from condmix.runtime.profile.peak import fastest
from condmix.runtime.profile.records import Rate

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
TIMES_THE_CACHE = 4
LEAST_BYTES, MOST_BYTES = 32 << 20, 256 << 20
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def memory_bandwidth(threads: int) -> Rate:
    """Bytes read and written a second, by as many threads, each copying its own arrays.

    An array is four times the last cache, where the system tells its size, between 32 and 256 MB.
    """
    cache_bytes = last_cache_bytes(CACHES)
    size_bytes = min(MOST_BYTES, max(LEAST_BYTES, TIMES_THE_CACHE * (cache_bytes or 0)))
    each = size_bytes // threads // 8
    sources = [np.ones(each) for _ in range(threads)]
    targets = [np.zeros(each) for _ in range(threads)]

    def copy() -> None:
        others = [Thread(target=np.copyto, args=pair) for pair in zip(targets[1:], sources[1:], strict=True)]
        for other in others:
            other.start()
        np.copyto(targets[0], sources[0])
        for other in others:
            other.join()

    seconds, calls = fastest(copy)
    told = "of unknown size" if cache_bytes is None else f"of {cache_bytes >> 20} MB"
    how = (
        f"copying {threads * each * 8 >> 20} MB by {threads} thread{'' if threads == 1 else 's'} past a last cache "
        f"{told}, bytes read and bytes written counted, the fastest of {calls} copies"
    )
    return Rate(per_second=2 * 8 * each * threads / seconds, how=how)


def last_cache_bytes(folder: Path) -> int | None:
    """The size of the largest cache that the folder tells of; None when it tells none."""
    sizes = []
    for file in sorted(folder.glob("index*/size")):
        try:
            text = file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        digits, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
        if digits.isdigit():
            sizes.append(int(digits) * _UNITS.get(unit, 1))
    return max(sizes, default=None)
