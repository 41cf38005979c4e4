"""Progress in a log: each step and each quarter once; at a terminal everything."""

from __future__ import annotations

import sys

import pytest

from condmix.deploy.measure import progress
from condmix.deploy.measure.progress import told
from condmix.runtime.bench.run import Progress

STEPS = [
    Progress(stage="opening a, 1 of 1", part=0.0),
    *(Progress(stage=f"measuring, round {number + 1}", part=number / 10) for number in range(10)),
]


def test_a_log_has_a_line_a_quarter() -> None:
    assert not sys.stderr.isatty()
    said: list[str] = []
    tell = told(said.append)
    for step in STEPS:
        tell(step)
    assert said == ["opening a, 1 of 1", "measuring (0% done)", "measuring (30% done)", "measuring (50% done)",
                    "measuring (80% done)"]  # fmt: skip


def test_a_terminal_shows_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "is_plain", lambda _stream: False)
    said: list[str] = []
    tell = told(said.append)
    for step in STEPS:
        tell(step)
    assert len(said) == len(STEPS)
    assert said[-1] == "measuring, round 10 (90%)"
