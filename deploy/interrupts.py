"""Ctrl-C, even where a library swallows it: torch's export tries other ways when one fails, whatever made it fail."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(kw_only=True)
class Interrupts:
    """Whether Ctrl-C was pressed while it was watched for."""

    seen: bool = False


@contextmanager
def watched_interrupts() -> Iterator[Interrupts]:
    """Inside, Ctrl-C raises KeyboardInterrupt as ever, and is remembered; outside the main thread it is left alone."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def remember(number: int, frame: FrameType | None) -> None:
        interrupts.seen = True
        signal.default_int_handler(number, frame)

    previous = signal.signal(signal.SIGINT, remember)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, previous)
