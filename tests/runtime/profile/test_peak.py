"""What an engine reaches here."""

from __future__ import annotations

import time

import pytest

from condmix.runtime.errors import SessionFailedError
from condmix.runtime.profile import peak
from condmix.runtime.profile.peak import SIZE, fastest, float_peak, int8_peak

ENGINES = ("onnxruntime", "ai-edge-litert")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(peak, "LEAST_CALLS", 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_rate_is_measured_in_the_engine_and_says_how(engine: str):
    for rate in (float_peak(engine, 1), int8_peak(engine, 1)):
        assert rate is not None
        # Any machine does more than ten million, none does ten thousand billion on one thread.
        assert 1e7 < rate.per_second < 1e13
        assert rate.how.endswith(f"{SIZE}x{SIZE} matrices in {engine}, 1 thread, the fastest of 2 calls")


def test_int8_is_unknown_where_the_engine_does_not_run_it(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise SessionFailedError(engine="onnxruntime", place="a model", reason="no kernel")

    monkeypatch.setattr(peak, "_rate", refuse)
    assert int8_peak("onnxruntime", 1) is None
    with pytest.raises(SessionFailedError):
        float_peak("onnxruntime", 1)


def test_the_fastest_call_counts():
    waits = iter([0.02, 0.001, 0.03, 0.02])
    seconds, calls = fastest(lambda: time.sleep(next(waits)))
    assert calls == 2
    assert 0.001 <= seconds < 0.02


def test_a_short_time_is_filled_with_calls(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peak, "LEAST_SECONDS", 0.01)
    assert fastest(lambda: None)[1] > 10
