"""The roof of one engine."""

from __future__ import annotations

import pytest

from condmix.runtime.profile import peak
from condmix.runtime.profile.roof import measure_roof


def test_all_rates_are_measured_on_the_asked_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peak, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(peak, "LEAST_CALLS", 2)
    roof = measure_roof("onnxruntime", 2)
    for rate in (roof.float_multiply_adds, roof.int8_multiply_adds, roof.bandwidth):
        assert rate is not None
        assert rate.per_second > 0
        assert "2 threads" in rate.how
