"""How far int8 moves the routing: a gate that moves changes the kernel itself, not only its rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from condmix.exporters.errors import VerificationError


@dataclass(frozen=True, kw_only=True)
class RoutingDrift:
    """One block's routing in float against the same in int8, over some images."""

    block: str
    largest: float
    """The largest |difference| of any gate on any image."""
    mean: float
    """The mean |difference| of all gates."""
    changed_share: float
    """Of the images, those on which another expert has the largest gate."""
    image_count: int

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def drift(float_rows: Mapping[str, np.ndarray], int8_rows: Mapping[str, np.ndarray]) -> tuple[RoutingDrift, ...]:
    """The drift of every block, from rows (images, experts) by block, on the same images in the same order.

    Raises VerificationError naming every block that cannot be compared.
    """
    problems = [
        *(f"block '{block}' has no int8 routing" for block in float_rows if block not in int8_rows),
        *(f"block '{block}' has no float routing" for block in int8_rows if block not in float_rows),
    ]
    for block in float_rows.keys() & int8_rows.keys():
        before, after = float_rows[block], int8_rows[block]
        if before.shape != after.shape or before.ndim != 2 or not before.size:
            problems.append(f"block '{block}' has shapes {before.shape} and {after.shape}: expected (images, experts)")
        elif not (np.isfinite(before).all() and np.isfinite(after).all()):
            problems.append(f"block '{block}' holds NaN or infinity")
    if problems:
        raise VerificationError(
            "\n".join(("routing cannot be compared:", *(f"  - {text}" for text in sorted(problems))))
        )
    return tuple(_of(block, rows, int8_rows[block]) for block, rows in float_rows.items())


def _of(block: str, before: np.ndarray, after: np.ndarray) -> RoutingDrift:
    difference = np.abs(after.astype(np.float64) - before.astype(np.float64))
    rows = np.arange(len(before))
    # Two experts that are equal in int8 are no change as long as the right one is among them.
    changed = after[rows, before.argmax(axis=1)] < after.max(axis=1)
    return RoutingDrift(
        block=block,
        largest=float(difference.max()),
        mean=float(difference.mean()),
        changed_share=float(changed.mean()),
        image_count=len(before),
    )
