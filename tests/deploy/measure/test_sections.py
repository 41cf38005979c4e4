"""Sections of a report, and Ctrl-C while one is made: the measurement is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from condmix.deploy.measure.sections import known_routing, with_sections
from condmix.runtime.bench.report import BenchReport
from tests.runtime.bench.reports import make_report


def _interrupt(_report: BenchReport) -> object:
    raise KeyboardInterrupt


def test_what_has_something_to_say_is_in_the_report() -> None:
    said: list[str] = []
    wanted: dict[str, Callable[[BenchReport], object]] = {
        "batch_curve": lambda report: report.rounds,
        "none": lambda _: {},
    }
    report = with_sections(make_report(), wanted, said.append)
    assert report.sections == {"batch_curve": 40}
    assert said == ["batch curve", "none"]
    assert report.interrupted is None


def test_ctrl_c_leaves_out_the_rest_and_says_so() -> None:
    wanted: dict[str, Callable[[BenchReport], object]] = {
        "first": lambda _: 1,
        "profile": _interrupt,
        "last": lambda _: 1,
    }
    report = with_sections(make_report(), wanted, lambda _: None)
    assert report.sections == {"first": 1}
    assert report.interrupted == (
        "interrupted by Ctrl-C after the measurement, which is complete: profile was left out"
    )


def test_an_interrupted_measurement_has_no_sections() -> None:
    stopped = dataclasses.replace(make_report(), interrupted="by Ctrl-C")
    assert with_sections(stopped, {"profile": _interrupt}, lambda _: None) is stopped


def test_files_of_others_have_no_routing() -> None:
    assert known_routing(make_report(), {}) == {}
