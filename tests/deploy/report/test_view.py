"""What the pages ask of a report."""

from __future__ import annotations

from dataclasses import replace

from condmix.deploy.report.view import ReportView
from condmix.runtime.bench.samples import Samples
from tests.deploy.report.synthetic import KINDS, ROUNDS, full_report


def test_subjects_have_their_place_and_letter() -> None:
    view = ReportView(full_report())
    assert view.label("condmix.tflite") == "D  condmix.tflite"
    assert (view.label("somebody else"), view.index("somebody else")) == ("somebody else", None)
    assert [one.index for one in view.measured] == list(range(len(KINDS)))


def test_a_subject_without_a_run_is_not_measured() -> None:
    report = full_report()
    lost = replace(report.subjects[2], samples=Samples(), failure="gone")
    view = ReportView(replace(report, subjects=(*report.subjects[:2], lost, *report.subjects[3:])))
    assert [one.index for one in view.measured] == [0, 1, 3, 4, 5]


def test_time_is_that_of_all_subjects() -> None:
    view = ReportView(full_report())
    ends = [
        (start + wall) / 1e9
        for one in view.report.subjects
        for start, wall in zip(one.samples.start_ns, one.samples.wall_ns, strict=True)
    ]
    assert view.span_s == max(ends)
    assert len(view.round_start_s) == ROUNDS
    assert view.round_start_s[0] == 0.0
    assert list(view.round_start_s) == sorted(view.round_start_s)
