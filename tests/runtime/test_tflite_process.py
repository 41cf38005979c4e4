import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.tflite_process import WorkerProcess
from tests.runtime.tflite_files import DenseNet
from tests.runtime.tflite_sites import CRASH, EXIT, HANG

NET = DenseNet()
PYTHON = Path(sys.executable)


def is_alive(process_number: int) -> bool:
    try:
        os.kill(process_number, 0)
    except ProcessLookupError:
        return False
    return True


def opened(site: Path) -> WorkerProcess:
    worker = WorkerProcess(PYTHON, site)
    ready, _ = worker.receive(timeout_seconds=60)
    assert ready["kind"] == "ready"
    model = {"model": np.frombuffer(NET.to_tflite(), np.uint8)}
    answer, _ = worker.ask({"kind": "open", "threads": 1, "delegate": True}, model, timeout_seconds=60)
    assert answer["kind"] == "opened"
    return worker


def run(worker: WorkerProcess, first: float, *, timeout_seconds: float = 60) -> np.ndarray:
    images = np.full((2, 4), first, np.float32)
    return worker.ask({"kind": "run", "outputs": [3]}, {"0": images}, timeout_seconds=timeout_seconds)[1]["3"]


def test_closing_ends_the_process(stand_in: Path):
    worker = opened(stand_in)
    np.testing.assert_array_equal(run(worker, 0.0), np.zeros((2, 5), np.float32))
    assert is_alive(worker.process_number)
    worker.close()
    worker.close()
    assert not is_alive(worker.process_number)
    with pytest.raises(WorkerEndedError, match="the worker process was ended before"):
        run(worker, 0.0)


def test_the_process_ends_with_its_object(stand_in: Path):
    worker = opened(stand_in)
    number = worker.process_number
    del worker
    gc.collect()
    assert not is_alive(number)


def test_the_process_ends_with_ours(stand_in: Path):
    program = (
        "import sys, os\nfrom pathlib import Path\nfrom condmix.runtime.tflite_process import WorkerProcess\n"
        "worker = WorkerProcess(Path(sys.executable), Path(sys.argv[1]))\nworker.receive(timeout_seconds=60)\n"
        "sys.stdout.write(str(worker.process_number)); sys.stdout.flush()\nos._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, stand_in], capture_output=True, check=True, text=True)
    for _ in range(100):
        if not is_alive(int(done.stdout)):
            break
        time.sleep(0.05)
    assert not is_alive(int(done.stdout))


@pytest.mark.parametrize(("first", "how"), [(CRASH, "signal SIGSEGV"), (EXIT, "exit code 9")])
def test_a_death_is_told_with_its_last_words(stand_in: Path, first: float, how: str):
    worker = opened(stand_in)
    with pytest.raises(WorkerEndedError) as caught:
        run(worker, first)
    # What the engine printed on standard output was led there too; its INFO lines are left out.
    words = "a line on standard output, where only messages belong" + (" / last words" if first == EXIT else "")
    assert str(caught.value) == f"the worker process ended with {how}: {words}"
    assert not is_alive(worker.process_number)


def test_silence_ends_at_the_timeout(stand_in: Path):
    worker = opened(stand_in)
    start = time.monotonic()
    with pytest.raises(WorkerEndedError, match=r"the worker process gave no answer within 0\.5 s"):
        run(worker, HANG, timeout_seconds=0.5)
    assert time.monotonic() - start < 10
    assert not is_alive(worker.process_number)


def test_a_python_that_does_not_start(tmp_path: Path):
    with pytest.raises(WorkerEndedError, match="no python' does not start: "):
        WorkerProcess(tmp_path / "no python", tmp_path)


def test_a_folder_without_the_engine(tmp_path: Path):
    with pytest.raises(WorkerEndedError, match=r"ended with exit code 1: .*ModuleNotFoundError: No module named"):
        WorkerProcess(PYTHON, tmp_path).receive(timeout_seconds=60)


def test_nothing_of_the_workers_is_left_open(stand_in: Path):
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list the open files of a process in /proc/self/fd")
    opened(stand_in).close()
    before = len(list(folder.iterdir()))
    for _ in range(3):
        opened(stand_in).close()
    assert len(list(folder.iterdir())) == before
