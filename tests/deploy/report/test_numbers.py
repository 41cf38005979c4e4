"""Figures in words."""

from __future__ import annotations

import math

import pytest

from condmix.deploy.report import numbers


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (123_456, "0.1235"),
        (1_234_567, "1.235"),
        (12_345_678, "12.35"),
        (123_456_789, "123.5"),
        (1_234_567_890, "1235"),
        (0, "0.0000"),
    ],
)
def test_milliseconds_have_four_digits(ns: float, text: str) -> None:
    assert numbers.milliseconds(ns) == text


def test_what_is_not_supported_is_said() -> None:
    assert numbers.percentile(None) == "n too small"
    assert numbers.interval(None, None) == "too few rounds"
    assert numbers.memory(None) == "not readable"
    assert numbers.count(None) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (3.14e-6, "3.1e-06"), (0.213, "0.213"), (12.0, "12"), (math.inf, "not finite")]
)
def test_differences(value: float, text: str) -> None:
    assert numbers.difference(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0 %"), (1e-5, "< 0.1 %"), (0.875, "87.5 %"), (0.9999, "> 99.9 %"), (1, "100.0 %")]
)
def test_shares_are_not_rounded_to_all_or_nothing(value: float, text: str) -> None:
    assert numbers.share(value) == text


def test_units_and_plurals() -> None:
    assert numbers.microseconds(12.345) == "12.3"
    assert numbers.microseconds(12345.6) == "12,346"
    assert (numbers.memory(112_400_000), numbers.memory(5_300_000_000)) == ("112.4 MB", "5.30 GB")
    assert (numbers.plural(1, "run"), numbers.plural(2000, "run")) == ("1 run", "2,000 runs")
    assert numbers.interval(1e6, 2e6) == "1.000 to 2.000"
    assert numbers.count(1234567.0) == "1,234,567"
