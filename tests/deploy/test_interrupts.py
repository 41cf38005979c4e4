"""Ctrl-C is raised and remembered, and the handler before comes back."""

from __future__ import annotations

import signal
import threading

import pytest

from condmix.deploy.interrupts import watched_interrupts


def test_it_is_raised_and_remembered() -> None:
    before = signal.getsignal(signal.SIGINT)
    with watched_interrupts() as interrupts:
        assert not interrupts.seen
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.seen
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_signals_alone() -> None:
    seen: list[object] = []

    def watch() -> None:
        with watched_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [before]
