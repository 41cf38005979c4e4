"""At which heights and widths a network is captured and proven, so that what depends on them shows itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from condmix.exporters.errors import NotExportableError

Sides = tuple[int, int]
STEPS = (1, 2, 4, 8, 16, 32, 64)
"""What sizes may have to be multiples of: networks that halve a map and join it with its double again."""
STRIDE = 32
"""Of most networks in all: lengths that differ in every bit below it meet both parities at every stride of two."""
LEAST_HELD_OUT = 2
MOST_SHOWN = 2


@dataclass(frozen=True, kw_only=True)
class FreeSize:
    """The sizes of one export for any height and width. `captured[0]` is the one that was asked for.

    step: PyTorch runs at heights and widths that differ from it by multiples of this.
    held_out: sizes whose graphs nobody looked at, for the proof. not_run: what PyTorch said at others.
    """

    step: int
    captured: tuple[Sides, ...]
    held_out: tuple[Sides, ...]
    not_run: tuple[str, ...] = ()

    @property
    def proven(self) -> tuple[Sides, ...]:
        """Every size that the file is run at."""
        return (*self.captured, *self.held_out)

    def sentence(self) -> str:
        """Which sizes the network takes."""
        height, width = self.captured[0]
        if self.step == 1:
            return "any height and width"
        if height % self.step == width % self.step == 0:
            return f"heights and widths that are multiples of {self.step}, as PyTorch itself"
        return f"heights and widths that differ from {shown((height, width))} by multiples of {self.step}, as PyTorch"

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "step": self.step,
            "given": shown(self.captured[0]),
            "captured": [shown(sides) for sides in self.captured],
            "held_out": [shown(sides) for sides in self.held_out],
        }


def choose_sizes(base: Sides, runs: Callable[[Sides], str | None]) -> FreeSize:
    """The sizes for a network that `runs` at some: it answers with None, or with what went wrong.

    Raises NotExportableError for a network that runs at the given size alone.
    """
    problems: list[str] = []
    for step in STEPS:
        captured = captured_sides(base, step)
        wrong = next(((sides, text) for sides in captured[1:] if (text := runs(sides)) is not None), None)
        if wrong is None:
            tried = {sides: runs(sides) for sides in held_out_sides(base, step) if sides not in captured}
            return FreeSize(
                step=step,
                captured=captured,
                held_out=tuple(sides for sides, text in tried.items() if text is None),
                not_run=tuple(f"{shown(sides)}: {text}" for sides, text in tried.items() if text is not None),
            )
        problems.append(f"at {shown(wrong[0])}: {wrong[1]}")
    summary = (
        f"the network runs at no other height and width than {shown(base)}; leave --dynamic-size out, or pool globally "
        "(nn.AdaptiveAvgPool2d(1)) in front of its linear layers, or export a file again with open axes; it says:"
    )
    raise NotExportableError(summary, tuple(problems[:MOST_SHOWN]))


def no_tflite() -> NotExportableError:
    """The refusal of any height and width in TFLite."""
    summary = "TFLite writes all shapes into the file: it has no form for any height and width;"
    return NotExportableError(summary, ("use --input-size for one size, or --format onnx for --dynamic-size",))


def captured_sides(base: Sides, step: int) -> tuple[Sides, ...]:
    """Three sizes, the given one first. On each axis one length has the other parity at every stride of two.

    Heights and widths differ by more than a stride, so that they are told apart deep in a network. Where it can be,
    they leave all rests at a stride of three.
    """
    height, width = base
    span = max(STRIDE // step, 1)
    heights = (height + step * _other_parities(height, step, span), height + step * max(37 // step, 2))
    widths = (width + step * (_other_parities(width, step, span) + span), width + step * max(67 // step, 3))
    taller, wider = _thirds(height, heights, step), _thirds(width, widths, step)
    return base, (heights[0], wider), (taller, widths[0])


def held_out_sides(base: Sides, step: int) -> tuple[Sides, ...]:
    """A smaller one, and two of another shape; odd where the network takes odd ones."""
    height, width = base
    smaller = [max(side - step * round(side * share / step), 1) for side, share in ((height, 0.3), (width, 0.2))]
    if step == 1:
        smaller = [side - (side % 2 == 0) for side in smaller]
    wanted = ((smaller[0], smaller[1]), (height + 6 * step, width - 3 * step), (height - step, width + 6 * step))
    taken = [sides for sides in wanted if min(sides) > 0 and sides != base]
    if len(taken) < LEAST_HELD_OUT:
        taken += [(height + 3 * step, width + 2 * step), (height + step, width + 4 * step)]
    return tuple(dict.fromkeys(taken))


def shown(sides: Sides) -> str:
    """As it is typed."""
    return f"{sides[0]}x{sides[1]}"


def _thirds(length: int, others: tuple[int, int], step: int) -> int:
    """The second of the others, a little longer where all three would leave the same rest at a stride of three."""
    first, second = others
    candidates = (second, second + step, second + 2 * step)
    return next((one for one in candidates if len({side % 3 for side in (length, first, one)}) == 3), second)


def _other_parities(length: int, step: int, span: int) -> int:
    """How many steps to a length of the other parity at every level: that of ceil(n / 2^i) is bit i of n - 1."""
    if span == 1:
        return 1
    units = (-(-length // step) - 1) % span
    return (span - 1 - units - units) % span or span // 2
