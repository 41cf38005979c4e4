"""SAME padding as numbers: what TensorFlow adds around a map so that the result has ceil(length / stride) positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

LARGEST_STRIDE = 8
LARGEST_EXTENT = 63
"""Of a kernel with its dilation, where no convolution says it."""
MULTIPLES = (2, 4, 8, 16, 32, 64, 128)
"""To which networks fill an image up, at its end."""


@dataclass(frozen=True, kw_only=True)
class SameRule:
    """Pads of one axis as a function of its length: those of SAME, and a constant on either side.

    extent: (kernel - 1) * dilation + 1. lower: the odd one goes to the front (SAME_LOWER). at_end: all goes to the
    end; with an extent of one stride the length is filled up to a multiple of it.
    """

    extent: int
    stride: int
    lower: bool = False
    at_end: bool = False
    more: tuple[int, int] = (0, 0)

    def pads(self, length: int) -> tuple[int, int]:
        """Before and after."""
        before, after = same_pads(length, self.extent, self.stride)
        if self.lower:
            before, after = after, before
        if self.at_end:
            before, after = 0, before + after
        return before + self.more[0], after + self.more[1]

    @property
    def is_constant(self) -> bool:
        """Whether nothing depends on the length."""
        return self.stride == 1 and self.extent == 1


def same_pads(length: int, extent: int, stride: int) -> tuple[int, int]:
    """Before and after, of SAME_UPPER: max((ceil(length / stride) - 1) * stride + extent - length, 0), floor first."""
    total = max((-(-length // stride) - 1) * stride + extent - length, 0)
    return total // 2, total - total // 2


def find_rule(
    lengths: Sequence[int], pads: Sequence[tuple[int, int]], extent: int | None = None, stride: int | None = None
) -> SameRule | None:
    """The rule that gives these pads for these lengths of an axis; None where there is none.

    extent, stride: of the window behind, where one is known; else the smallest that explain the pads.
    """
    if len(set(pads)) == 1:
        return SameRule(extent=1, stride=1, more=pads[0])
    if extent is None:
        filled = (SameRule(extent=multiple, stride=multiple, at_end=True) for multiple in MULTIPLES)
        if (found := next((fitted for rule in filled if (fitted := _fitted(rule, lengths, pads))), None)) is not None:
            return found
    strides = (stride,) if stride is not None else range(2, LARGEST_STRIDE + 1)
    extents = (extent,) if extent is not None else range(1, LARGEST_EXTENT + 1)
    for one_stride in strides:
        for one_extent in extents:
            for lower in (False, True):
                rule = _fitted(SameRule(extent=one_extent, stride=one_stride, lower=lower), lengths, pads)
                if rule is not None:
                    return rule
    return None


def _fitted(rule: SameRule, lengths: Sequence[int], pads: Sequence[tuple[int, int]]) -> SameRule | None:
    """The rule with the constants that are left over; None where it leaves none, or takes away."""
    more = {_minus(found, rule.pads(length)) for found, length in zip(pads, lengths, strict=True)}
    rest = next(iter(more))
    return replace(rule, more=rest) if len(more) == 1 and min(rest) >= 0 else None


def _minus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] - other[0], one[1] - other[1]
