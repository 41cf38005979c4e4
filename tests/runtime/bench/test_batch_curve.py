"""The batch curve: which subjects make one, and what an image costs on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.batch_curve import batch_curve
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Samples
from tests.runtime.bench.reports import make_report


def walls(**milliseconds: float) -> dict[str, np.ndarray]:
    return {name: np.full(200, int(1e6 * ms)) for name, ms in milliseconds.items()}


def with_subjects(report: BenchReport, **changes: dict[str, object]) -> BenchReport:
    """The report with these fields of these subjects."""
    records = tuple(
        replace(record, subject=replace(record.subject, **changes.get(record.name, {})))  # type: ignore[arg-type]
        for record in report.subjects
    )
    return replace(report, subjects=records)


def test_points_by_batch_with_the_price_of_an_image() -> None:
    report = make_report(walls(four=6.0, one=2.0, plain=1.0, again=6.0))
    report = with_subjects(report, four={"batch": 4}, one={"batch": 1}, again={"batch": 4})
    assert batch_curve(report) == {
        "net.onnx": [
            {"batch": 1, "median_ns": 2e6, "per_image_ns": 2e6, "subject": "one"},
            {"batch": 4, "median_ns": 6e6, "per_image_ns": 1.5e6, "subject": "four"},
        ]
    }


def test_each_way_of_running_has_a_curve_of_its_own() -> None:
    report = make_report(walls(a=1.0, b=2.0, c=1.0, d=2.0, again=1.0))
    report = with_subjects(
        report, a={"batch": 1}, b={"batch": 2}, c={"batch": 1, "threads": 2}, d={"batch": 2, "threads": 2}
    )
    assert list(batch_curve(report)) == ["net.onnx, 1 thread", "net.onnx, 2 threads"]


def test_one_point_is_no_curve_and_a_lost_subject_no_point() -> None:
    report = with_subjects(make_report(walls(a=1.0, b=2.0, again=1.0)), a={"batch": 1}, b={"batch": 2})
    assert len(batch_curve(report)) == 1
    lost = replace(report.subjects[1], samples=Samples(), failure="it crashed")
    assert batch_curve(replace(report, subjects=(report.subjects[0], lost, report.subjects[2]))) == {}


def test_files_of_one_name_are_told_apart_by_their_folder() -> None:
    report = make_report(walls(a=1.0, b=2.0, c=1.0, d=2.0, again=1.0))
    other = {"file": Path("other/net.onnx")}
    report = with_subjects(report, a={"batch": 1}, b={"batch": 2}, c={"batch": 1, **other}, d={"batch": 2, **other})
    assert list(batch_curve(report)) == ["net.onnx", "other/net.onnx"]
    assert pytest.approx(1e6) == batch_curve(report)["net.onnx"][1]["per_image_ns"]  # type: ignore[index]
