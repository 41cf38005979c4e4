"""A whole session over a fake ssh: a measurement, and every fault that a board can have."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from condmix.deploy.devices import agent_device
from condmix.deploy.devices.errors import DeviceError
from tests.deploy.devices.boards import BRIEF, Board, fake_job, link, onnx_plan, patched_facts

SLEEP = "print('asleep', flush=True)\ntime.sleep(60)"


def wait_for(condition: object, seconds: float = 10.0) -> None:
    """Until it holds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def test_a_measurement_gives_the_report_of_the_board_and_leaves_packages_alone(board: Board, tmp_path: Path):
    plan, stages = onnx_plan(tmp_path), []
    device = board.device()
    try:
        report = device.run(plan, BRIEF, command=("condmix", "bench"), say=stages.append)
    finally:
        device.close()
    record = report.subject("model")
    assert record.agreement is not None
    assert record.agreement.passed
    assert len(record.samples) >= BRIEF.minimum_runs
    assert record.subject.file == plan.subjects[0].file, "the report speaks of the files of this side"
    assert report.command == ("condmix", "bench")
    assert report.subject_names == ("model", "model (again)")
    assert board.left() == set()
    assert board.partials() == []
    assert [stage for stage in stages if "small inference" in stage]
    assert [stage for stage in stages if "measuring, round" in stage]


def test_packages_are_brought_once_and_again_when_they_are_damaged(board: Board, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "")
    stages: list[str] = []
    for _ in range(2):
        device = board.device()
        device.prepare(["onnxruntime"], stages.append)
        device.close()
    assert len([stage for stage in stages if "bringing" in stage]) == 1
    (package,) = (board.folder / "packages").iterdir()
    (package / "condmix/runtime/probe.py").write_text("")
    device = board.device()
    device.prepare(["onnxruntime"], stages.append)
    device.close()
    assert [stage for stage in stages if "1 packages there were damaged" in stage]
    assert len([stage for stage in stages if "bringing" in stage]) == 2


def test_a_stale_cache_of_the_right_sizes_is_found_by_the_inference_and_replaced(
    board: Board, monkeypatch: pytest.MonkeyPatch
):
    looks = (
        b"import os\nif '!!!!' in open(os.environ['PYTHONPATH'] + '/condmix/runtime/probe.py').read(): os._exit(8)\n"
    )
    monkeypatch.setattr(agent_device, "_job_source", lambda: looks)
    device = board.device()
    device.prepare(["onnxruntime"])
    device.close()
    (package,) = (board.folder / "packages").iterdir()
    probe = package / "condmix/runtime/probe.py"
    probe.write_text("!" * probe.stat().st_size)
    device = board.device()
    device.prepare(["onnxruntime"])
    device.close()
    assert "!!!!" not in probe.read_text()


def test_packages_that_never_work_are_told_with_the_engines_words(board: Board, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(agent_device, "_job_source", lambda: b"import sys\nsys.exit('wrong ELF class: ELFCLASS64')\n")
    device = board.device()
    with pytest.raises(DeviceError, match=r"^pi: small inference: wrong ELF class: ELFCLASS64\. The packages do not"):
        device.prepare(["onnxruntime"])
    device.close()
    assert board.left() == set()


def test_a_killed_job_is_an_error_and_the_board_is_clean(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "sys.stderr.write('Out of memory'); sys.stderr.flush()\nos.kill(os.getpid(), signal.SIGKILL)")
    device = board.device()
    with pytest.raises(DeviceError, match=r"pi: measure: the job ended with exit code -9: Out of memory\. Run it") as e:
        device.run(onnx_plan(tmp_path), BRIEF)
    assert e.value.step == "measure"
    device.close()
    assert board.left() == set()


def test_a_report_of_another_kind_is_refused(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "open(sys.argv[3], 'w').write('{\"kind\": \"poem\"}')")
    device = board.device()
    with pytest.raises(DeviceError, match="pi: report: what came back is no report"):
        device.run(onnx_plan(tmp_path), BRIEF)
    device.close()


def test_a_killed_agent_leaves_no_file_and_no_job(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, SLEEP)
    asleep, device = threading.Event(), board.device()

    def kill_when_asleep(stage: str) -> None:
        if "asleep" in stage:
            number = int((board.folder / "lock").read_text().split()[1])
            os.kill(number, signal.SIGKILL)
            asleep.set()

    with pytest.raises(DeviceError, match=r"pi: measure: the connection was lost\. Check the network"):
        device.run(onnx_plan(tmp_path), BRIEF, say=kill_when_asleep)
    assert asleep.is_set()
    assert board.left() == set(), "the device was asked once more"


def test_a_link_cut_within_a_file_leaves_nothing_half_written(board: Board, tmp_path: Path):
    board.behave(link(tmp_path, byte_count=60_000))
    device = board.device()
    with pytest.raises(DeviceError) as e:
        device.run(onnx_plan(tmp_path), BRIEF)
    assert e.value.step == "push"
    wait_for(lambda: board.left() == set())
    assert board.partials() == []


def test_a_link_cut_while_measuring_ends_the_job_too(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    number = tmp_path / "number"
    fake_job(monkeypatch, f"open({str(number)!r}, 'w').write(str(os.getpid()))\n{SLEEP}")
    device = board.device()

    def cut(stage: str) -> None:
        if "asleep" in stage:
            assert device._channel is not None
            device._channel._process.kill()

    board.behave(link(tmp_path))
    with pytest.raises(DeviceError, match="pi: measure: the connection was lost"):
        device.run(onnx_plan(tmp_path), BRIEF, say=cut)
    process = Path("/proc") / number.read_text()
    wait_for(lambda: not process.exists())
    wait_for(lambda: board.left() == set())


def test_silence_is_a_lost_link(board: Board):
    board.behave("exec sleep 30")
    device = board.device(silence_seconds=0.3)
    with pytest.raises(DeviceError, match=r"pi: connect: nothing was heard for 0\.3 s"):
        device.probe()


def test_a_full_disk_is_told_before_anything_is_brought(board: Board, monkeypatch: pytest.MonkeyPatch):
    patched_facts(monkeypatch, free_bytes=3 << 20)
    device = board.device()
    with pytest.raises(DeviceError, match=r"pi: space: .* has 3 MiB free, expected \d+ MiB for 1 packages\. Free"):
        device.prepare(["onnxruntime"])
    device.close()
    assert list((board.folder / "packages").iterdir()) == []


def test_a_disk_that_fills_while_files_arrive_keeps_none_of_them(board: Board, tmp_path: Path):
    # No file of more than 64 blocks of 512 bytes: the write fails in the middle, as it does on a full disk.
    board.behave('ulimit -f 64\nexec sh -c "$line"')
    device = board.device()
    with pytest.raises(DeviceError, match=r"pi: push: File too large\. Run it again; nothing half-written is left"):
        device.run(onnx_plan(tmp_path), BRIEF)
    device.close()
    assert board.left() == set()
    assert board.partials() == []


def test_two_sessions_at_once_do_not_meet(board: Board, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "")
    first, second = board.device(), board.device()
    first.prepare(["onnxruntime"])
    with pytest.raises(DeviceError, match=r"pi: lock: in use by process \d+ since .*\. Wait for it to end, or end"):
        second.prepare(["onnxruntime"])
    second.close()
    first.close()
    third = board.device()
    third.prepare(["onnxruntime"])
    third.close()


def test_the_wrong_architecture_and_clock_are_told_before_anything_is_brought(
    board: Board, monkeypatch: pytest.MonkeyPatch
):
    device = board.device(architecture="aarch64")
    with pytest.raises(DeviceError, match="pi: probe: its programs are x86_64, expected aarch64"):
        device.prepare(["onnxruntime"])
    device.close()
    patched_facts(monkeypatch, clock=0.0)
    device = board.device()
    with pytest.raises(DeviceError, match=r"pi: probe: its clock is .* hours behind, expected .*sudo date"):
        device.prepare(["onnxruntime"])
    device.close()
    assert not board.folder.exists()


def test_clean_leaves_nothing(board: Board, monkeypatch: pytest.MonkeyPatch):
    fake_job(monkeypatch, "")
    device = board.device()
    device.prepare(["onnxruntime"])
    assert device.clean().startswith(f"pi: removed {board.folder}, ")
    assert list(board.home.rglob("*condmix*")) == []


def test_stop_sends_an_interruption_and_keeps_what_there_is(board: Board, tmp_path: Path):
    stop, device = threading.Event(), board.device()

    def when_measuring(stage: str) -> None:
        if "measuring, round 5" in stage:
            stop.set()

    settings = BRIEF.__class__(**{**BRIEF.to_dict(), "minimum_seconds": 30.0, "minimum_runs": 10})
    try:
        report = device.run(onnx_plan(tmp_path), settings, say=when_measuring, stop=stop)
    finally:
        device.close()
    assert report.interrupted is not None
    assert report.rounds >= 4


def test_words_of_a_login_shell_are_passed_over(board: Board):
    board.behave('echo "Welcome to board"; echo; echo "{}"\nexec sh -c "$line"')
    device = board.device()
    assert device.probe().architecture == "x86_64"
    device.close()
