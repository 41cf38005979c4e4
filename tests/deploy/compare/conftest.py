"""The command, measuring for a short time."""

from __future__ import annotations

import functools

import pytest

from condmix.runtime.bench import settings
from tests.deploy.int8.conftest import images_npy, int8_weights, labelled_npz

__all__ = ["images_npy", "int8_weights", "labelled_npz"]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process a subject, hardly warmed up: nothing here asks how long anything takes."""
    short = functools.partial(settings.BenchSettings, openings=1, warmup_runs=1, warmup_seconds=0.0)
    monkeypatch.setattr(settings, "BenchSettings", short)
