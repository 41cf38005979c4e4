"""The user's own tools on a board, over a fake ssh: figures, faults, and nothing left."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.ssh_own_binary import run_own_binary_by_ssh
from condmix.deploy.devices.tool_result import ToolResult, ToolRun, of_another_cpu, tool_named
from tests.deploy.devices.boards import Board
from tests.deploy.devices.test_adb_own_binary import NEW_TFLITE, PERF, tool


@pytest.fixture
def temporary(board: Board) -> Path:
    """The board's /tmp."""
    place = board.home / "tmp"
    place.mkdir()
    board.behave(f'export TMPDIR={place}\nexec sh -c "$line"')
    return place


def run_of(folder: Path, text: str = NEW_TFLITE, *, code: int = 0, name: str = "benchmark_model") -> ToolRun:
    model = folder / ("net.onnx" if "perf" in name else "net.tflite")
    model.write_bytes(os.urandom(70_000))
    return ToolRun(binary=tool(folder / name, text, code=code), file=model, threads=2, runs=25)


def measured(run: ToolRun) -> ToolResult:
    return run_own_binary_by_ssh(parse_address("ssh://pi@board"), run, name="pi")


def test_both_tools_give_their_figures_and_nothing_is_left(board: Board, temporary: Path, tmp_path: Path):
    found = measured(run_of(tmp_path))
    assert (found.device, found.figures.median_ns, found.threads, found.emulated) == ("pi", 141253e3, 2, False)
    assert found.output.startswith("--graph=net.tflite --num_threads=2 --num_runs=25 --warmup_runs=5\n")
    assert "condmix-code" not in found.output
    assert found.first_line() == "UNVERIFIED: figures of benchmark_model, whose outputs nobody looked at"
    assert found.lacking[-1].startswith("the cores it ran on were not chosen, and the board was not cooled down")
    assert found.sections["board"]["system"].startswith("Linux ")
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["kind"] == "condmix-tool-latency"
    library = tmp_path / "libonnxruntime.so"
    library.write_bytes(b"library")
    run = run_of(tmp_path, PERF + "\n\nbehind an empty line\n", name="onnxruntime_perf_test")
    found = measured(ToolRun(binary=run.binary, file=run.file, libraries=(library,), arguments=("-P",)))
    assert (found.figures.runs, found.figures.peak_memory_bytes) == (100, 36696064)
    assert found.command.endswith("-I -s -P net.onnx")
    assert list(temporary.iterdir()) == []
    assert len(board.said.read_text().splitlines()) == 2, "one connection a run"


def test_the_line_for_the_board_is_one_for_any_shell(board: Board, temporary: Path, tmp_path: Path):
    measured(run_of(tmp_path))
    line = board.said.read_text().splitlines()[0].partition(" -- board ")[2]
    assert shlex.split(line)[:3] == ["exec", "sh", "-c"]
    assert "!" not in line
    assert temporary.is_dir()


def test_an_emulated_board_gives_no_figure(board: Board, temporary: Path, tmp_path: Path):
    board.behave(
        f"export TMPDIR={temporary}\nuname() {{ echo aarch64; }}\n"
        'cat() { case $1 in /proc/sys/kernel/arch) echo x86_64 ;; *) command cat "$@" ;; esac; }\n'
        'set -- sh -c "$line"\nline=$(printf %s "$line" | sed "s/^exec sh -c //")\neval "eval $line"'
    )
    found = measured(run_of(tmp_path))
    assert found.first_line() == (
        "EMULATED: benchmark_model ran on an emulated CPU, every figure is withheld, since it says nothing about a "
        "real one"
    )
    assert (found.figures.mean_ns, found.output) == (None, "")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("exit 255", "pi: measure: the connection was lost. Check the network"),
        ("echo 'Connection refused' >&2; exit 255", "pi: measure: ssh says: Connection refused. Start its ssh server"),
        ('export TMPDIR=/nowhere; exec sh -c "$line"', "pi: push: it cannot be unpacked there: .*No such file"),
        ('head -c 30000 | sh -c "$line"', "pi: push: it cannot be unpacked there: .*tar"),
        ('sh -c "$line" | head -c 400; exit 255', "pi: measure: the connection was lost"),
    ],
)
def test_faults_on_the_way(board: Board, temporary: Path, tmp_path: Path, behaviour: str, expected: str):
    board.behave(f"export TMPDIR={temporary}\n{behaviour}")
    with pytest.raises(DeviceError, match=expected):
        measured(run_of(tmp_path))
    assert list(temporary.iterdir()) == []


def test_what_arrived_damaged_is_not_run(board: Board, temporary: Path, tmp_path: Path):
    run = run_of(tmp_path)
    marker = run.file.read_bytes()[-8:]
    program = tmp_path / "flip.py"
    program.write_text(
        f"import sys\nwhole = sys.stdin.buffer.read()\nassert {marker!r} in whole\n"
        f"sys.stdout.buffer.write(whole.replace({marker!r}, bytes(8)))\n"
    )
    board.behave(f'export TMPDIR={temporary}\npython3 {program} | sh -c "$line"')
    with pytest.raises(DeviceError, match=r"pi: push: what arrived is not what was sent. Run it again"):
        measured(run)
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("temporary")
def test_a_tool_that_fails_and_one_that_says_nothing(tmp_path: Path):
    with pytest.raises(DeviceError, match=r"pi: measure: benchmark_model ended with .* 1: .*GLIBC_2.38 not"):
        measured(run_of(tmp_path, "libc.so.6: version GLIBC_2.38 not found\n", code=1))
    with pytest.raises(DeviceError, match="the output of benchmark_model is not understood: no line 'Inference"):
        measured(run_of(tmp_path, "nothing\n"))


def test_without_an_ssh_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = run_of(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(DeviceError, match="pi: connect: there is no ssh on the PATH"):
        measured(run)


@pytest.mark.parametrize(
    ("machine", "kernel", "another"),
    [
        ("aarch64", "x86_64", True),
        ("x86_64", "x86_64", False),
        ("armv7l", "aarch64", False),
        ("x86_64", "aarch64", True),
        ("aarch64", None, False),
        ("aarch64", "", False),
    ],
)
def test_emulation_is_told_by_the_kernel(machine: str, kernel: str | None, another: bool):
    assert of_another_cpu(machine, kernel) is another


def test_tools_are_known_by_their_names():
    assert tool_named(Path("android_arm64_benchmark_model_plus_flex")) == "benchmark_model"
    assert tool_named(Path("bin/onnxruntime_perf_test")) == "onnxruntime_perf_test"
    assert tool_named(Path("benchmark")) is None
