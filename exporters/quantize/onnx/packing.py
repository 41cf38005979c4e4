"""Stored kernels without the zeros around their weights.

Several branches in one kernel, groups written out as one, and channels that were added are zeros in whole boxes. Only
what lies inside is stored, in pieces of rows that each have one box; Pad and Concat put them together. Every runtime
folds that once, when it loads the file: the kernel that runs is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PIECE_BYTES = 200
"""What a piece costs beside its numbers: a Pad, its amounts, and names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """Rows of a kernel, cut to the box that holds their weights. pads: as Pad takes them, begins and then ends."""

    array: np.ndarray
    pads: tuple[int, ...]


def packed(kernel: np.ndarray) -> tuple[Piece, ...]:
    """The pieces whose sum of bytes is least, in order along the first axis; one without pads where cutting gains less
    than it costs.

    Exact: `unpacked` gives the kernel back.
    """
    whole = (Piece(array=kernel, pads=(0,) * (2 * kernel.ndim)),)
    low, high = _boxes(kernel)
    inside = int(np.prod(high - low, axis=1).sum())
    if kernel.size - inside <= 2 * PIECE_BYTES:
        return whole
    ends = _ends(low, high)
    pieces = tuple(
        _piece(kernel, start, end, low[start:end].min(axis=0), high[start:end].max(axis=0))
        for start, end in zip((0, *ends), ends, strict=False)
    )
    stored = sum(piece.array.size + PIECE_BYTES for piece in pieces)
    return pieces if stored < kernel.size else whole


def unpacked(pieces: tuple[Piece, ...]) -> np.ndarray:
    """The kernel that the pieces make."""
    parts = []
    for piece in pieces:
        begins, ends = np.split(np.asarray(piece.pads), 2)
        parts.append(np.pad(piece.array, list(zip(begins, ends, strict=True))))
    return np.concatenate(parts)


def _boxes(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row: where its weights begin along every other axis, and behind which place they end; never empty."""
    used = kernel != 0
    low, high = [], []
    for axis in range(1, kernel.ndim):
        others = tuple(index for index in range(1, kernel.ndim) if index != axis)
        lines = used.any(axis=others)
        some = lines.any(axis=1)
        low.append(np.where(some, lines.argmax(axis=1), 0))
        high.append(np.where(some, lines.shape[1] - lines[:, ::-1].argmax(axis=1), 1))
    return np.stack(low, axis=1), np.stack(high, axis=1)


def _ends(low: np.ndarray, high: np.ndarray) -> tuple[int, ...]:
    """Where to cut, so that boxes and pieces together cost least."""
    rows = len(low)
    best = np.zeros(rows + 1)
    start_of = np.zeros(rows + 1, dtype=np.int64)
    for end in range(1, rows + 1):
        # The box of the last 1, 2, 3 ... rows before the end.
        first = np.minimum.accumulate(low[:end][::-1])
        last = np.maximum.accumulate(high[:end][::-1])
        counts = np.arange(1, end + 1)
        costs = best[end - counts] + counts * np.prod(last - first, axis=1) + PIECE_BYTES
        choice = int(costs.argmin())
        best[end], start_of[end] = costs[choice], end - counts[choice]
    ends = [rows]
    while start_of[ends[-1]] > 0:
        ends.append(int(start_of[ends[-1]]))
    return tuple(reversed(ends))


def _piece(kernel: np.ndarray, start: int, end: int, low: np.ndarray, high: np.ndarray) -> Piece:
    box = (slice(start, end), *(slice(*ends) for ends in zip(low, high, strict=True)))
    after = np.asarray(kernel.shape[1:]) - high
    pads = (0, *(int(count) for count in low), 0, *(int(count) for count in after))
    return Piece(array=np.ascontiguousarray(kernel[box]), pads=pads)
