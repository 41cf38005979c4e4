"""Progress of a measurement: every round at a terminal, a line for each step and each quarter in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from condmix.deploy.terminal import is_plain

if TYPE_CHECKING:
    from condmix.runtime.bench.run import Progress

QUARTERS = 4
_MEASURING = "measuring"


def told(say: Callable[[str], None]) -> Callable[[Progress], None]:
    """A function that passes progress on to `say` in words, as seldom as the one who reads on stderr needs it."""
    return (lambda progress: say(progress.sentence())) if not is_plain(sys.stderr) else _Seldom(say)


class _Seldom:
    """Says each opening, and a quarter of the measurement once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last: object = None

    def __call__(self, progress: Progress) -> None:
        measuring = progress.stage.startswith(_MEASURING)
        step = (_MEASURING, int(QUARTERS * progress.part)) if measuring else progress.stage
        if step != self._last:
            self._last = step
            self._say(f"{_MEASURING} ({progress.part:.0%} done)" if measuring else progress.stage)
