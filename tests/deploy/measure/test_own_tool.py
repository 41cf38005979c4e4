"""condmix bench --tool: what is refused, printed, written, and how it ends, over fakes of adb and ssh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.own_tool import ToolRequest, tool_runs
from tests.deploy.conftest import Run
from tests.deploy.devices.adb_fake import FakePhone, phone  # noqa: F401 - a fixture
from tests.deploy.devices.test_adb_own_binary import NEW_TFLITE, PERF, tool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "files"
    place.mkdir()
    for name in ("net.tflite", "other.tflite", "net.onnx"):
        (place / name).write_bytes(name.encode())
    tool(place / "benchmark_model", NEW_TFLITE)
    tool(place / "onnxruntime_perf_test", PERF)
    return place


def test_figures_of_two_files_on_a_phone(phone: FakePhone, folder: Path, condmix: Run):  # noqa: F811
    phone.command("taskset", 'shift; exec "$@"')
    (folder / "benchmark_model").write_text(
        (folder / "benchmark_model").read_text().replace("[ -f net.onnx ]", "[ -f other.tflite ]")
    )
    ran = condmix(
        "bench", str(folder / "net.tflite"), str(folder / "other.tflite"), "--device", "adb", "--threads", "1,2",
        "--tool", str(folder / "benchmark_model"), "--tool-args", "--use_xnnpack=true", "--cool-seconds", "0",
        "--cores", "all", "--no-fixed-performance", "-o", str(folder / "out"), "-q",
    )  # fmt: skip
    assert (ran.code, ran.err) == (ExitCode.OK, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("adb: UNVERIFIED: figures of benchmark_model, whose outputs nobody looked at; EXPERIM")
    assert lines[2].split()[:4] == ["device", "file", "threads", "runs"]
    assert [line.split()[:8] for line in lines[3:7]] == [
        ["adb", file, threads, "25", "92.32", "187.5", "145.5", "141.3"]
        for file in ("net.tflite", "other.tflite")
        for threads in ("1", "2")
    ]
    assert "net.tflite: the delegate took 31 of 64 nodes" in lines
    assert any(line.startswith("not checked: outputs were not compared with anything") for line in lines)
    assert lines[-1] == f"report: {folder / 'out/tool.md'}"
    record = json.loads((folder / "out/tool.json").read_text())
    assert (record["kind"], len(record["results"]), record["failures"]) == ("condmix-tool-latencies", 4, {})
    assert "--use_xnnpack=true" in record["results"][0]["command"]
    assert record["results"][0]["sections"]["phone"]["fixed_performance"] is None
    page = (folder / "out/tool.md").read_text()
    assert page.startswith("**adb: UNVERIFIED")
    assert "Inference timings in us" in page
    assert [name for name in phone.left() if name != "condmix-lock"] == []


def test_an_older_report_is_seen_before_measuring(folder: Path, condmix: Run):
    (folder / "out").mkdir()
    (folder / "out/tool.md").touch()
    ran = condmix(
        "bench", str(folder / "net.onnx"), "--device", "adb", "--tool", str(folder / "onnxruntime_perf_test"),
        "-o", str(folder / "out"), "-q",
    )  # fmt: skip
    assert ran.code == ExitCode.USAGE
    assert "tool.md" in ran.err
    assert "--overwrite" in ran.err


def test_a_device_that_fails_does_not_lose_the_other(
    phone: FakePhone,  # noqa: F811
    folder: Path,
    condmix: Run,
):
    (phone.program.parent / "ssh").write_text("#!/bin/sh\necho Connection refused >&2\nexit 255\n")
    (phone.program.parent / "ssh").chmod(0o755)
    ran = condmix(
        "bench", str(folder / "net.onnx"), "--device", "ssh://pi", "--device", "adb",
        "--tool", str(folder / "onnxruntime_perf_test"), "--json", "-q",
    )  # fmt: skip
    assert ran.code == ExitCode.MISSING
    record = json.loads(ran.out)
    assert [one["device"] for one in record["results"]] == ["adb"]
    assert record["failures"]["ssh://pi"].startswith("ssh://pi: measure: ssh says: Connection refused")
    assert ran.err.startswith("condmix: ssh://pi: measure: ssh says: Connection refused")


def test_all_that_is_wrong_is_told_at_once(folder: Path, condmix: Run):
    ran = condmix(
        "bench", str(folder / "net.onnx"), str(folder / "none.tflite"), "--device", "local", "--device", "adb",
        "--tool", str(folder / "benchmark_model"), "--tool-args", "--a='", "--fail-if", "p90>1ms", "--profile", "-q",
    )  # fmt: skip
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert [line for line in ran.err.splitlines() if line.startswith("  - ")] == [
        "  - leave --profile out: the tool knows nothing of it",
        "  - leave --fail-if out: the tool knows nothing of it",
        f"  - FILE {folder / 'none.tflite'}: there is no such file",
        '  - --tool-args "--a=\'": no shell could read it: No closing quotation',
        f"  - {folder / 'net.onnx'}: benchmark_model reads .tflite files alone",
        "  - local: it runs on phones (adb) and boards (ssh) alone",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--tool", "{f}/benchmark_model"), "it runs on a phone or a board: give --device adb or ssh://USER@HOST"),
        (("--tool", "{f}/net.onnx", "--device", "adb"), "expected benchmark_model or onnxruntime_perf_test, known by"),
        (("--tool-args", "-x"), "--tool-library and --tool-args are about a tool:"),
    ],
)
def test_a_tool_and_where_it_runs(folder: Path, condmix: Run, words: tuple[str, ...], expected: str):
    ran = condmix("bench", str(folder / "net.tflite"), *(word.format(f=folder) for word in words), "-q")
    assert ran.code == ExitCode.USAGE
    assert expected in ran.err


def request(folder: Path, *files: Path) -> ToolRequest:
    return ToolRequest(tool=folder / "benchmark_model", files=files, threads=(1,), runs=5, libraries=(), arguments=None)


def test_of_a_bundle_only_what_the_tool_reads_is_measured(folder: Path):
    both = request(folder, folder / "net.onnx", folder / "net.tflite")
    runs, notes = tool_runs(both, (folder / "benchmark_model",))
    assert [run.file.name for run in runs] == ["net.tflite"]
    assert notes == ("net.onnx of the bundle is left out: benchmark_model reads .tflite files alone",)
    with pytest.raises(PlanError, match=r"there is no .tflite file among those given"):
        tool_runs(request(folder, folder / "net.onnx"), (folder / "benchmark_model",))


def test_all_files_lie_in_one_folder_there(folder: Path):
    with pytest.raises(PlanError, match="benchmark_model: two files would have this name on the device: rename one"):
        tool_runs(
            ToolRequest(
                tool=folder / "benchmark_model", files=(folder / "net.tflite",), threads=(1,), runs=5,
                libraries=(folder / "benchmark_model",), arguments=None,
            ),
            (folder / "net.tflite",),
        )  # fmt: skip
