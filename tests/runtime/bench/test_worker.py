"""The real processes: they compute, they die in every way, and none is ever left."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.run import run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.worker_process import start_worker, worker_command
from condmix.runtime.piped_process import PipedProcess
from condmix.runtime.tflite_worker import write_message
from tests.runtime.tflite_files import DenseNet

SETTINGS = BenchSettings(
    warmup_runs=2, warmup_seconds=0, minimum_runs=100, minimum_seconds=0, block=5, settling_runs=1, openings=1
)
TFLITE = DenseNet()
# A session whose run does what the program says, for `python -c`.
PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from condmix.runtime.bench.timing import Opened
from condmix.runtime.bench.worker import main
from tests.runtime.bench.fake_workers import FakeSession
def work(number):
    {work}
def open_subject(head):
    print("the engine talks", flush=True)
    os.write(1, b"and its C++ too")
    return Opened(session=FakeSession(work), engine_version="1", load_ns=1)
main(open_subject)
"""
ROOT = Path(__file__).parents[3]


def start_working(work: str) -> PipedProcess:
    return PipedProcess([sys.executable, "-c", PROGRAM.format(root=str(ROOT), work=work)])


def is_alive(process_number: int) -> bool:
    """Running, not a zombie that waits to be asked how it ended."""
    try:
        return Path(f"/proc/{process_number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(process_number: int) -> bool:
    """Within some seconds."""
    deadline = time.monotonic() + 10
    while is_alive(process_number) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(process_number)


@pytest.fixture
def files(tmp_path: Path, linear_bytes: bytes) -> list[BenchSubject]:
    (tmp_path / "a.onnx").write_bytes(linear_bytes)
    (tmp_path / "b.tflite").write_bytes(TFLITE.to_tflite())
    return [
        BenchSubject(name="a", file=tmp_path / "a.onnx", engine="onnxruntime", batch=3, threads=2),
        BenchSubject(name="b", file=tmp_path / "b.tflite", engine="litert"),
    ]


def test_both_engines_are_measured_side_by_side(files: list[BenchSubject]):
    report = run_bench(files, SETTINGS)
    a, b = report.subject("a"), report.subject("b")
    assert [one.failure for one in report.subjects] == [None] * 3
    assert (a.format, a.precision, a.inputs) == ("onnx", "float32", {"x": (3, 4)})
    assert (b.format, b.precision, b.inputs) == ("tflite", "float32", {"images": (2, 4)})
    assert b.delegate_coverage["operators"] == 2
    assert a.delegate_coverage is None
    assert len(a.samples) == len(b.samples) == 100
    for one in report.subjects:
        (opening,) = one.openings
        assert opening.load_ns > 0
        assert opening.first_inference_ns > 0
        assert opening.memory_before_bytes < opening.memory_loaded_bytes <= opening.peak_memory_bytes
        assert one.engine_version[0].isdigit()
    # The clock is one for all processes: turns do not overlap.
    ends_ns = {
        (number, one.name): (start, start + wall)
        for one in report.subjects
        for number, start, wall in zip(one.samples.round, one.samples.start_ns, one.samples.wall_ns, strict=True)
    }
    spans = sorted(ends_ns.values())
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def test_what_an_engine_refuses_is_the_failure_of_that_subject(files: list[BenchSubject], tmp_path: Path):
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07 no model")
    broken = BenchSubject(name="broken", file=tmp_path / "broken.onnx", engine="onnxruntime")
    report = run_bench([files[1], broken], SETTINGS)
    assert "broken.onnx' cannot be opened: onnxruntime" in report.subject("broken").failure
    assert len(report.subject("b").samples) == 100


def test_a_worker_killed_in_the_middle_is_the_loss_of_its_subject_alone(files: list[BenchSubject]):
    numbers = []

    def start(one: BenchSubject) -> PipedProcess:
        if one.name == "b":
            worker = start_working("if number == 40: os.kill(os.getpid(), signal.SIGKILL)")
        else:
            worker = start_worker(one)
        numbers.append(worker.process_number)
        return worker

    report = run_bench(files, SETTINGS, start=start)
    lost = report.subject("b")
    assert lost.failure == "the worker process ended with signal SIGKILL: the engine talks / and its C++ too"
    assert 5 <= len(lost.samples) < 40
    assert len(report.subject("a").samples) == len(report.subject("a (again)").samples) == 100
    assert "'b' was lost: the worker process ended with signal SIGKILL" in report.verdict.findings[1].reason
    assert not any(map(is_alive, numbers))


def test_a_worker_that_hangs_is_ended(files: list[BenchSubject]):
    numbers = []

    def start(one: BenchSubject) -> PipedProcess:
        worker = start_working(f"time.sleep(60 if number == 30 and {one.name == 'a'} else 0)")
        numbers.append(worker.process_number)
        return worker

    report = run_bench(files[:1], SETTINGS, start=start, timeout_seconds=5)
    assert report.subject("a").failure == "the worker process gave no answer within 5 s"
    assert report.subject("a (again)").failure is None
    assert not any(map(is_alive, numbers))


def test_the_end_of_its_input_ends_a_worker_even_within_a_run():
    worker = start_working("time.sleep(60)")
    ready, _ = worker.receive(timeout_seconds=60)
    assert ready["kind"] == "ready"
    worker.ask({"kind": "open", "threads": 1}, {}, timeout_seconds=60)
    message = {"kind": "start", "warmup_runs": 0, "warmup_seconds": 0, "feeds": 1}
    write_message(worker._process.stdin, message, {"x": np.ones((1, 1, 2), np.float32)})
    start = time.monotonic()
    worker._process.stdin.close()
    assert ends(worker.process_number)
    assert time.monotonic() - start < 5
    worker.close()


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from condmix.runtime.bench.run import run_bench
from condmix.runtime.bench.settings import BenchSettings
from tests.runtime.bench.fake_workers import subject
from tests.runtime.bench.test_worker import start_working
folder = Path({folder!r})
def start(one):
    worker = start_working("time.sleep(0.005)")
    with (folder / "numbers").open("a") as stream: print(worker.process_number, file=stream)
    return worker
settings = BenchSettings(warmup_runs=1, warmup_seconds=0, minimum_runs=10**6, openings=1)
tell = lambda progress: print(progress.stage, flush=True)
report = run_bench([subject("a", folder)], settings, start=start, report_progress=tell)
print("KEPT", sum(len(one.samples) for one in report.subjects), report.interrupted, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_bench(tmp_path: Path, number: signal.Signals):
    program = PARENT.format(root=str(ROOT), folder=str(tmp_path))
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for line in parent.stdout:
            if line.startswith("measuring, round 3"):
                break
        os.killpg(parent.pid, number)  # as the interrupt key does: to the whole group
        rest = parent.stdout.read()
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    workers = [int(text) for text in (tmp_path / "numbers").read_text().split()]
    assert len(workers) == 2
    assert all(map(ends, workers))
    if number == signal.SIGINT:
        (kept,) = [line for line in rest.splitlines() if line.startswith("KEPT")]
        assert int(kept.split()[1]) >= 20
        assert "interrupted by Ctrl-C after" in kept


def test_an_interpreter_of_its_own(tmp_path: Path, files: list[BenchSubject]):
    command = worker_command(Path("/opt/other/bin/python"))
    assert command == ["/opt/other/bin/python", "-P", "-m", "condmix.runtime.bench.worker"]
    missing = BenchSubject(name="m", file=files[0].file, engine="onnxruntime", python=tmp_path / "no python")
    report = run_bench([files[1], missing], SETTINGS)
    assert "no python' does not start: " in report.subject("m").failure


@pytest.mark.parametrize("wrong", [{"batch": 5}, {"shapes": {"image": (2, 4)}}])
def test_inputs_that_cannot_be_made(files: list[BenchSubject], wrong: dict[str, object]):
    subject = BenchSubject(name="w", file=files[1].file, engine="litert", **wrong)
    report = run_bench([subject], SETTINGS)
    assert report.subject("w").failure.startswith("its inputs cannot be made: ")
