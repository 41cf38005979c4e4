"""Whether an int8 file is faster than its float file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.runtime.audit.speed import SpeedComparison, SpeedVerdict, compare_speed
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.latency_report import CandidateSamples, Clock, LatencyReport, LatencySettings
from tests.runtime.audit.onnx_files import write_float
from tests.runtime.audit.tflite_models import net


def samples(name: str, median_ns: int, runs: int) -> CandidateSamples:
    times = tuple(median_ns + place % 3 for place in range(runs))
    return CandidateSamples(name=name, wall_ns=times, cpu_ns=times, warmup_wall_ns=(), warmup_cpu_ns=())


def comparison(*, int8_ns: int, control_ns: int = 1000, runs: int = 30) -> SpeedComparison:
    settings = LatencySettings(warmup_runs=0, minimum_runs=runs, minimum_seconds=0, block=1, seed=0)
    candidates = (
        samples("float", 1000, runs),
        samples("int8", int8_ns, runs),
        samples("float (again)", control_ns, runs),
    )
    report = LatencyReport(settings=settings, candidates=candidates, control="float (again)")
    return SpeedComparison(
        float_file=Path("a.onnx"), int8_file=Path("b.onnx"), threads=1, clock=Clock.CPU, report=report
    )


@pytest.mark.parametrize(
    ("compared", "verdict"),
    [
        (comparison(int8_ns=600), SpeedVerdict.FASTER),
        (comparison(int8_ns=1700), SpeedVerdict.SLOWER),
        (comparison(int8_ns=1000), SpeedVerdict.NO_DIFFERENCE),
        # The float file differs from itself by more than that.
        (comparison(int8_ns=1100, control_ns=1200), SpeedVerdict.NO_DIFFERENCE),
        (comparison(int8_ns=1700, runs=19), SpeedVerdict.UNKNOWN),
        (comparison(int8_ns=0), SpeedVerdict.FASTER),
    ],
)
def test_the_verdict(compared: SpeedComparison, verdict: SpeedVerdict):
    assert compared.verdict is verdict


def test_the_sentence():
    text = comparison(int8_ns=1700).sentence()
    assert text.startswith("slower than float on this machine; int8 / float = 1.699 (1.69")
    assert "the float file against itself differs by up to 0.00" in text
    assert (
        comparison(int8_ns=1700, runs=5)
        .sentence()
        .startswith("not measured long enough to tell: run it 20 times or more; int8 / float = 1.699")
    )


def test_both_files_are_measured_in_turns(tmp_path: Path):
    (tmp_path / "float.tflite").write_bytes(net())
    (tmp_path / "int8.tflite").write_bytes(net(activations="int8", weights="int8"))
    compared = compare_speed(tmp_path / "float.tflite", tmp_path / "int8.tflite", threads=1, runs=20, shapes={})
    assert [candidate.name for candidate in compared.report.candidates] == ["float", "int8", "float (again)"]
    assert compared.report.rounds == 20
    record = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert record["schema_version"] == 1
    assert record["clock"] == "cpu"
    assert record["verdict"] in {"faster", "slower", "no_difference"}


def test_on_more_threads_the_time_that_passes_counts(tmp_path: Path):
    path = write_float(tmp_path)
    assert compare_speed(path, path, threads=2, runs=1, shapes={}).clock is Clock.WALL


def test_files_that_take_other_inputs_are_refused(tmp_path: Path):
    (tmp_path / "int8.tflite").write_bytes(net(weights="int8"))
    with pytest.raises(InvalidSettingError) as caught:
        compare_speed(write_float(tmp_path), tmp_path / "int8.tflite", threads=1, runs=1, shapes={})
    assert [problem.split(" takes ")[-1] for problem in caught.value.problems] == [
        "1x3x16x16",
        "1x6x6x3",
        "give the float file that the int8 file was made from",
    ]
