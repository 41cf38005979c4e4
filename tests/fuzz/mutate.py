"""Damaged copies of a file, the same for the same seed: what transfers, disks and attackers do to bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

HUGE = (0xFF, 0x7F, 0x80, 0x00, 0x01)
"""Bytes that make lengths and offsets absurd: the largest, the largest signed, the smallest signed, none, one."""


def damaged(content: bytes, seed: int) -> bytes:
    """One to four damages, drawn from the seed. The result differs from `content` wherever that is not empty."""
    generator = random.Random(seed)
    result = bytearray(content)
    while bytes(result) == content and content:
        for _ in range(generator.randint(1, 4)):
            generator.choice(DAMAGES)(result, generator)
    return bytes(result)


def truncate(data: bytearray, generator: random.Random) -> None:
    """The end is missing."""
    del data[_place(data, generator) :]


def flip_bits(data: bytearray, generator: random.Random) -> None:
    """A few single bits are another."""
    for _ in range(generator.randint(1, 8)):
        if data:
            data[_place(data, generator)] ^= 1 << generator.randrange(8)


def overwrite(data: bytearray, generator: random.Random) -> None:
    """A short run holds random bytes."""
    start = _place(data, generator)
    run = bytes(generator.randrange(256) for _ in range(generator.randint(1, 16)))
    data[start : start + len(run)] = run


def exaggerate(data: bytearray, generator: random.Random) -> None:
    """Two, four or eight bytes in a row become an absurd number."""
    start, width = _place(data, generator), generator.choice((2, 4, 8))
    data[start : start + width] = bytes([generator.choice(HUGE)]) * width


def remove(data: bytearray, generator: random.Random) -> None:
    """A stretch in the middle is missing."""
    start = _place(data, generator)
    del data[start : start + generator.randint(1, 64)]


def repeat(data: bytearray, generator: random.Random) -> None:
    """A stretch stands there again, somewhere else."""
    start, target = _place(data, generator), _place(data, generator)
    data[target:target] = data[start : start + generator.randint(1, 256)]


def nest(data: bytearray, generator: random.Random) -> None:
    """Thousands of opening brackets, or of one byte: what recursive readers go down into."""
    start = _place(data, generator)
    data[start:start] = bytes([generator.choice(b'[{("\x0a\x12')]) * generator.choice((10, 1000, 50_000))


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    truncate,
    flip_bits,
    flip_bits,
    overwrite,
    exaggerate,
    exaggerate,
    remove,
    repeat,
    nest,
)


def _place(data: bytearray, generator: random.Random) -> int:
    """Anywhere, but more often near an end: headers and directories lie there."""
    if not data:
        return 0
    if generator.random() < 0.4:
        near = min(len(data), 256)
        return generator.randrange(near) if generator.random() < 0.5 else len(data) - 1 - generator.randrange(near)
    return generator.randrange(len(data))
