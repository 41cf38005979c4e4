import copy
import json
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.report import BenchReport, read_report
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from tests.runtime.bench.reports import make_report, noisy_wall_ns

REPORT = make_report()


def damaged(change: dict[str, object]) -> dict[str, object]:
    return {**copy.deepcopy(REPORT.to_dict()), **change}


def test_a_report_survives_json():
    again = BenchReport.from_dict(json.loads(json.dumps(REPORT.to_dict(), allow_nan=False)))
    assert again == REPORT
    assert again.to_dict() == REPORT.to_dict()


def test_the_record_says_what_it_is():
    data = REPORT.to_dict()
    assert data["schema_version"] == 1
    assert data["kind"] == "condmix-latency"


def test_the_steady_state_is_that_of_all_samples():
    summary = REPORT.steady("a")
    assert summary is not None
    wall = REPORT.subject("a").samples.wall_array()
    assert summary.runs == 200
    assert summary.median_ns == np.median(wall)
    assert summary.maximum_ns == wall.max()
    assert summary.median_low_ns < summary.median_ns < summary.median_high_ns
    assert summary.p95_ns is not None
    assert summary.p99_ns is None


def test_half_is_half_and_differs_and_the_control_does_not():
    ratio = REPORT.ratio("half", "a")
    assert ratio.low < 0.5 < ratio.high
    assert REPORT.is_different(ratio)
    assert not REPORT.is_different(REPORT.ratio("a (again)", "a"))
    assert 0 < REPORT.noise_floor() < 0.01
    assert ratio.sentence().startswith("half / a = 0.5")


def test_a_difference_below_the_noise_floor_is_none():
    near = noisy_wall_ns(1.004e6, seed=4, noise=0.001)
    report = make_report(
        {"a": noisy_wall_ns(1e6, seed=5, noise=0.001), "near": near, "c": noisy_wall_ns(1.006e6, seed=6, noise=0.001)}
    )
    ratio = report.ratio("near", "a")
    assert ratio.low > 1
    assert report.noise_floor() > ratio.ratio - 1
    assert not report.is_different(ratio)


def test_too_few_rounds_have_no_interval():
    short = {name: noisy_wall_ns(1e6, seed=9, rounds=19) for name in ("a", "a (again)")}
    report = make_report(short)
    assert report.ratio("a (again)", "a").low is None
    assert report.noise_floor() is None
    assert report.steady("a").median_low_ns is None
    assert not report.is_different(report.ratio("a (again)", "a"))


def test_a_name_that_is_not_there():
    with pytest.raises(InvalidSettingError, match=r"no subject is named 'b', there are 'a', 'half', 'a \(again\)'"):
        REPORT.ratio("b", "a")


def test_a_report_needs_its_control():
    with pytest.raises(InvalidSettingError, match="control 'z' must be a later subject than the first of"):
        make_report(control="z")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema_version": 2}, "'schema_version' is 2, this condmix reads up to 1: it was written by a newer condmix"),
        ({"kind": "trace"}, "'kind' must be 'condmix-latency', found 'trace': this is not a report of condmix bench"),
        ({"extra": 1}, "unknown name 'extra'"),
        ({"rounds": "4"}, "'rounds' must be int, found '4'"),
        ({"settings": {}}, "BenchSettings: 'warmup_runs' is missing"),
    ],
)
def test_what_is_no_report_is_named_with_its_file(tmp_path: Path, change: dict[str, object], expected: str):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(damaged(change)))
    with pytest.raises(InvalidRecordError) as caught:
        read_report(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("{", "it is not JSON"), ("[]", "expected a mapping, found list")])
def test_files_of_something_else(tmp_path: Path, text: str, expected: str):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InvalidRecordError, match=expected):
        read_report(path)


def test_a_missing_report(tmp_path: Path):
    with pytest.raises(InvalidRecordError, match="No such file or directory"):
        read_report(tmp_path / "none.json")


def test_samples_of_unequal_length_are_refused():
    data = damaged({})
    data["subjects"][0]["samples"]["cpu_ns"].pop()
    with pytest.raises(InvalidSettingError, match="all must be of one length, found start_ns 200, wall_ns 200, cpu_ns"):
        BenchReport.from_dict(data)
