import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import Progress, run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.verdict import Judgement
from condmix.runtime.errors import InvalidSettingError, ModelUnreadableError
from tests.runtime.bench.fake_workers import FakeWorker, Work, sleeping, subject

MILLISECOND = 0.001
QUICK = BenchSettings(
    warmup_runs=1, warmup_seconds=0, minimum_runs=100, minimum_seconds=0, block=5, settling_runs=0, openings=2
)


def bench(
    folder: Path, works: Mapping[str, Work], settings: BenchSettings = QUICK, **choices: object
) -> tuple[BenchReport, list[FakeWorker]]:
    """A measurement of subjects that only work as told; a control works as its subject does."""
    workers = []

    def start(one: BenchSubject) -> FakeWorker:
        workers.append(FakeWorker(works[one.name.removesuffix(" (again)")]))
        return workers[-1]

    subjects = [subject(name, folder) for name in works]
    return run_bench(subjects, settings, start=start, root=folder, **choices), workers


def test_a_known_sleep_appears_in_every_figure(tmp_path: Path):
    def seconds(number: int) -> float:
        return 30 * MILLISECOND if number == 0 else 6 * MILLISECOND if number < 5 else 2 * MILLISECOND

    settings = BenchSettings(
        warmup_runs=4, warmup_seconds=0, minimum_runs=100, minimum_seconds=0, settling_runs=0, openings=1
    )
    report, _ = bench(
        tmp_path, {"slow": sleeping(lambda _: 4 * MILLISECOND), "three phases": sleeping(seconds)}, settings,
        inputs={name: {"x": np.ones((1, 2), np.float32)} for name in ("slow", "three phases")},
    )  # fmt: skip
    record = report.subject("three phases")
    (opening,) = record.openings
    assert opening.load_ns == 7_000_000
    assert 30e6 <= opening.first_inference_ns < 50e6
    assert len(opening.warmup_wall_ns) == 4
    assert min(opening.warmup_wall_ns) >= 6e6
    # A sleep never ends early; how late it ends is the machine's affair, and half of the runs are spared.
    assert 2.0e6 <= report.steady("three phases").median_ns < 3e6
    assert 4.0e6 <= report.steady("slow").median_ns < 5e6
    assert report.ratio("three phases", "slow").ratio == pytest.approx(0.5, abs=0.12)
    # Asleep is not at work: the CPU clock tells the two apart.
    assert sum(record.samples.cpu_ns) < 0.3 * sum(record.samples.wall_ns)
    assert report.verdict.judgement is Judgement.UNVERIFIED
    assert any("waited for a core" in one.reason for one in report.verdict.findings)


def test_a_known_drift_is_found_and_told_from_that_of_one_subject(tmp_path: Path):
    def drifting(number: int) -> float:
        return (1 + number / 150) * MILLISECOND

    report, _ = bench(tmp_path, {"a": sleeping(drifting), "b": sleeping(drifting)})
    (found,) = [one for one in report.verdict.findings if one.verdict is Judgement.THROTTLED]
    assert found.reason.startswith("every subject was slower in the last third than in the first: 'a' +")
    report, _ = bench(tmp_path, {"a": sleeping(lambda _: MILLISECOND), "b": sleeping(drifting)})
    assert not [one for one in report.verdict.findings if one.verdict is Judgement.THROTTLED]
    (alone,) = [one for one in report.verdict.findings if "some subjects alone" in one.reason]
    assert "'b' +" in alone.reason
    assert "'a' +" not in alone.reason


def test_turns_are_shuffled_rounds_with_openings_in_turn(tmp_path: Path):
    report, workers = bench(tmp_path, {"a": lambda _: None, "b": lambda _: None})
    assert len(workers) == 6
    assert all(worker.closed for worker in workers)
    assert report.subject_names == ("a", "b", "a (again)")
    assert report.rounds == 20
    first = []
    for number in range(20):
        starts = {}
        for record in report.subjects:
            samples = record.samples
            places = [place for place, found in enumerate(samples.round) if found == number]
            assert len(places) == 5
            assert {samples.opening[place] for place in places} == {number % 2}
            starts[record.name] = samples.start_ns[places[0]]
        first.append(min(starts, key=starts.get))
    assert set(first) == {"a", "b", "a (again)"}
    assert report.subject("a").samples.input[:6] == (0, 1, 2, 3, 0, 1)
    assert list(report.subject("a").samples.start_ns) == sorted(report.subject("a").samples.start_ns)


def test_it_stops_when_count_and_duration_are_met_by_all(tmp_path: Path):
    settings = BenchSettings(
        warmup_runs=0, warmup_seconds=0, minimum_runs=10, minimum_seconds=0.05, block=5, settling_runs=0, openings=1
    )
    works = {"slow": sleeping(lambda _: 10 * MILLISECOND), "quick": sleeping(lambda _: MILLISECOND)}
    report, _ = bench(tmp_path, works, settings)
    quick = report.subject("quick").samples
    assert sum(quick.wall_ns) >= 0.05e9 > sum(quick.wall_ns[:-5])
    assert len(report.subject("slow").samples) == len(quick) > 10


def test_the_longest_time_ends_it_and_the_verdict_says_so(tmp_path: Path):
    settings = BenchSettings(
        warmup_runs=0, warmup_seconds=0, minimum_runs=1000, minimum_seconds=0, maximum_seconds=0.1, openings=1
    )
    report, _ = bench(tmp_path, {"a": sleeping(lambda _: MILLISECOND)}, settings)
    assert 0 < len(report.subject("a").samples) < 1000
    reasons = [one.reason for one in report.verdict.findings if one.verdict is Judgement.TOO_SHORT]
    assert reasons[0].startswith("1000 runs and 0 s were asked for: 'a' ")


def test_settling_runs_are_run_and_are_no_samples(tmp_path: Path):
    counts = {0: 0, 1: 0}
    settings = BenchSettings(
        warmup_runs=0, warmup_seconds=0, minimum_runs=10, minimum_seconds=0, settling_runs=2, openings=1
    )

    def count(_number: int) -> None:
        counts[0] += 1

    report, _ = bench(tmp_path, {"a": count}, settings, inputs={"a": {"x": np.ones((1, 2), np.float32)}})
    assert len(report.subject("a").samples) == 10
    assert counts[0] == 2 * (1 + 2 * (2 + 5))  # of the subject and its control: the first inference, then two turns


def test_a_lost_subject_keeps_its_samples_and_the_others_go_on(tmp_path: Path):
    workers = []

    def start(one: BenchSubject) -> FakeWorker:
        workers.append(FakeWorker(lambda _: None, dies_after_turns=3 if one.name == "b" else None))
        return workers[-1]

    report = run_bench(
        [subject("a", tmp_path), subject("b", tmp_path)], QUICK, start=start, root=tmp_path, timeout_seconds=9
    )
    lost = report.subject("b")
    assert lost.failure == "the worker process gave no answer within 9 s"
    assert len(lost.samples) == 30
    assert len(report.subject("a").samples) == 100
    assert report.rounds == 20
    assert report.ratio("b", "a").low is None
    assert report.verdict.findings[1].reason == "'b' was lost: the worker process gave no answer within 9 s"
    assert all(worker.closed for worker in workers)


def test_a_session_that_fails_is_a_lost_subject(tmp_path: Path):
    class Failing(FakeWorker):
        def ask(self, head, arrays, *, timeout_seconds):
            if head["kind"] == "start":
                return {"kind": "failed", "reason": "the engine\ngave up"}, {}
            return super().ask(head, arrays, timeout_seconds=timeout_seconds)

    report = run_bench([subject("a", tmp_path)], QUICK, start=lambda _: Failing(lambda _: None), root=tmp_path)
    assert [one.failure for one in report.subjects] == ["the engine gave up"] * 2
    assert report.rounds == 0
    assert report.steady("a") is None
    assert BenchReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_ctrl_c_keeps_what_was_measured_and_marks_the_unfinished_round(tmp_path: Path):
    runs = 0

    def work(_number: int) -> None:
        nonlocal runs
        runs += 1
        if runs == 60:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    assert threading.current_thread() is threading.main_thread()
    report, workers = bench(tmp_path, {"a": work, "b": work})
    assert report.interrupted == (
        f"interrupted by Ctrl-C after {report.rounds} complete rounds, runs: "
        + ", ".join(f"{name!r} {len(report.subject(name).samples)}" for name in report.subject_names)
    )
    kept = sum(len(record.samples) for record in report.subjects)
    assert 20 <= kept < 60
    assert {max(record.samples.round, default=-1) for record in report.subjects} <= {report.rounds - 1, report.rounds}
    assert all(worker.closed for worker in workers)
    assert report.interrupted in [one.reason for one in report.verdict.findings]
    assert BenchReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_outputs_are_compared_in_the_same_run(tmp_path: Path):
    images = np.arange(6, dtype=np.float32).reshape(3, 2)
    right = Reference(
        inputs={"x": images}, outputs={"y": 2 * images}, outputs_are="arithmetic",
        limits={"a.onnx": Limit(max_abs_difference=1e-6), "b.onnx": Limit(max_abs_difference=1e-6)},
    )  # fmt: skip
    wrong = Reference(inputs={"x": images}, outputs={"y": 3 * images}, outputs_are="arithmetic", limits=right.limits)
    report, _ = bench(tmp_path, {"a": lambda _: None, "b": lambda _: None}, references={"a": right, "b": wrong})
    assert report.subject("a").agreement.passed
    assert report.subject("a (again)").agreement.passed
    assert report.subject("a").input_source == "reference"
    assert report.subject("b").agreement.max_abs_difference == 5.0
    assert report.verdict.first_line().startswith(
        "UNVERIFIED: 'b' does not compute what its reference says: largest difference 5, at most 1e-06"
    )


def test_given_inputs_are_timed_and_the_reference_is_compared_all_the_same(tmp_path: Path):
    images = np.arange(6, dtype=np.float32).reshape(3, 2)
    wrong = Reference(inputs={"x": images}, outputs={"y": 3 * images}, outputs_are="arithmetic", limits={})
    report, _ = bench(
        tmp_path, {"a": lambda _: None}, references={"a": wrong}, inputs={"a": {"x": np.ones((2, 2), np.float32)}}
    )
    record = report.subject("a")
    assert record.input_source == "given"
    assert set(record.samples.input) == {0, 1}
    assert record.agreement.max_abs_difference == 5.0
    assert not record.agreement.passed


def test_a_reference_that_does_not_fit_is_on_record_and_random_inputs_are_timed(tmp_path: Path):
    images = np.ones((3, 7), np.float32)
    other = Reference(inputs={"x": images}, outputs={"y": images}, outputs_are="arithmetic", limits={})
    report, _ = bench(tmp_path, {"a": lambda _: None}, references={"a": other})
    record = report.subject("a")
    assert (record.failure, record.input_source) == (None, "random")
    assert record.agreement.detail == "its images do not fit: an image of 'x' is 7, the file takes 2"
    assert report.verdict.judgement is Judgement.UNVERIFIED


def test_progress_is_told_between_turns_and_ends_near_one(tmp_path: Path):
    told: list[Progress] = []
    bench(tmp_path, {"a": lambda _: None}, report_progress=told.append)
    assert told[0].sentence() == "opening a, 1 of 2 (0%)"
    assert [one.part for one in told if one.stage.startswith("measuring")] == pytest.approx(np.arange(20) / 20)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "subjects is empty: nothing to measure"),
        (("a", "a"), "the name 'a' is there twice"),
        (("a", "a (again)"), "the name 'a (again)' is kept for the control of 'a'"),
    ],
)
def test_impossible_subjects(tmp_path: Path, names: tuple[str, ...], expected: str):
    with pytest.raises(InvalidSettingError) as caught:
        run_bench([subject(name, tmp_path) for name in names], QUICK, root=tmp_path)
    assert expected in str(caught.value)


def test_an_emulated_machine_computes_and_no_time_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/arch").write_text("x86_64\n")
    report, workers = bench(tmp_path, {"a": lambda _: None})
    assert report.verdict.is_emulated
    assert report.verdict.reason == "the outputs of 'a' were compared with nothing, since there is no reference"
    assert report.subject("a").samples.wall_ns == ()
    assert len(workers) == 4, "they ran all the same"


def test_inputs_for_nobody(tmp_path: Path):
    with pytest.raises(InvalidSettingError, match="inputs or references are given for 'z', but there is no such"):
        run_bench([subject("a", tmp_path)], QUICK, inputs={"z": {}}, root=tmp_path)


def test_all_files_that_cannot_be_read_are_named_at_once(tmp_path: Path):
    subjects = [BenchSubject(name=name, file=tmp_path / name, engine="onnxruntime") for name in ("a", "b")]
    with pytest.raises(ModelUnreadableError) as caught:
        run_bench(subjects, QUICK, root=tmp_path)
    assert str(caught.value).count("there is no such file") == 2
    (tmp_path / "a").write_bytes(b"....TFL3")
    with pytest.raises(ModelUnreadableError, match="it is a file for litert, and 'a' asks for onnxruntime"):
        run_bench(subjects[:1], QUICK, root=tmp_path)
