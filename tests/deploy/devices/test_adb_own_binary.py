"""The user's own tools: their printed forms, and a run over a fake adb; figures only, and what they lack is said."""

import json
from pathlib import Path

import pytest

from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.adb_own_binary import run_own_binary
from condmix.deploy.devices.adb_tool_output import ToolFigures, ToolOutputError, parse_benchmark_model, parse_perf_test
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_conditions import PhoneSettings
from condmix.deploy.devices.tool_result import ToolRun
from tests.deploy.devices.adb_fake import FakePhone, phone  # noqa: F401 - a fixture

# In the forms that the tools print: of 2021, and of 2025, with the figures of a run each.
OLD_TFLITE = """STARTING!
Num threads: [4]
Graph: [./net.tflite]
Loaded model ./net.tflite
Initialized session in 17.187ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=1 curr=3512391

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, Inference (avg): 2.95034e+06
Memory footprint delta from the start of the tool (MB): init=4.21094 overall=46.0859
"""
NEW_TFLITE = """INFO: STARTING!
INFO: Replacing 31 out of 64 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions.
INFO: Running benchmark for at least 5 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=4 first=187533 curr=140990 min=140071 max=195121 avg=211669 std=13583 p5=1 median=2 p95=3
INFO: Running benchmark for at least 25 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=25 first=150533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=140545 median=141253 p95=187533
INFO: Inference timings in us: Init: 92318, First inference: 187533, Warmup (avg): 211669, Inference (avg): 145528
"""
PERF = """Setting intra_op_num_threads to 2
Session creation time cost: 0.0102016 s
First inference time cost: 2 ms
Total inference time cost: 0.185739 s
Total inference requests: 100
Average inference time cost: 1.85739 ms
Total inference run time: 0.18581 s
Avg CPU usage: 96 %
Peak working set size: 36696064 bytes
Avg CPU usage:96
Runs:100
Min Latency: 0.00183404 s
Max Latency: 0.00190312 s
P50 Latency: 0.00185674 s
P90 Latency: 0.00187215 s
P95 Latency: 0.00187393 s
P99 Latency: 0.00190312 s
P999 Latency: 0.00190312 s
"""


def test_benchmark_model_old_and_new():
    old = parse_benchmark_model(OLD_TFLITE)
    assert (old.runs, old.load_ns, old.first_ns, old.warmup_mean_ns) == (50, 17187e3, 3512391e3, 3.51239e9)
    assert (old.mean_ns, old.minimum_ns, old.maximum_ns, old.standard_deviation_ns) == (
        2.95034e9, 2727568e3, 3189954e3, 109798e3,
    )  # fmt: skip
    assert (old.median_ns, old.p95_ns, old.delegated) == (None, None, None)
    new = parse_benchmark_model(NEW_TFLITE)
    assert (new.runs, new.median_ns, new.p95_ns, new.delegated) == (25, 141253e3, 187533e3, "31 of 64 nodes")
    one = OLD_TFLITE.replace("count=50 first=2990275 curr=2913402 min=2727568 max=3189954", "count=1 curr=7")
    assert (parse_benchmark_model(one).runs, parse_benchmark_model(one).minimum_ns) == (1, 7e3)


def test_perf_test_with_and_without_percentiles():
    found = parse_perf_test(PERF)
    assert (found.runs, found.peak_memory_bytes) == (100, 36696064)
    assert [found.load_ns, found.first_ns, found.mean_ns, found.median_ns, found.minimum_ns, found.p90_ns] == (
        pytest.approx([0.0102016e9, 2e6, 1.85739e6, 0.00185674e9, 0.00183404e9, 0.00187215e9])
    )
    assert found.p99_ns == found.maximum_ns
    plain = parse_perf_test("Average inference time cost total: 98.961997 ms\nTotal inference requests: 5\n")
    assert (plain.mean_ns, plain.runs, plain.median_ns) == (pytest.approx(98.961997e6), 5, None)


def test_an_output_without_a_result():
    for parse, line in (
        (parse_benchmark_model, "Inference timings in us"),
        (parse_perf_test, "Average inference time"),
    ):
        with pytest.raises(ToolOutputError, match=f"no line '{line}"):
            parse("Segmentation fault\n")


@pytest.fixture
def device(phone: FakePhone, tmp_path: Path) -> AdbDevice:  # noqa: F811
    for name in ("net.tflite", "net.onnx"):
        (tmp_path / name).write_bytes(b"model")
    made = AdbDevice(None, name="adb", cache=tmp_path, settings=PhoneSettings(cores="0", most_cooling_seconds=0))
    yield made
    made.close()
    assert phone.left() == []


def tool(path: Path, text: str, *, code: int = 0) -> Path:
    path.write_text(
        f'#!/bin/sh\necho "$@" >&2\n[ -f net.tflite ] || [ -f net.onnx ] || exit 9\ncat <<"E"\n{text}E\nexit {code}\n'
    )
    return path


def test_benchmark_model_on_a_phone(phone: FakePhone, device: AdbDevice, tmp_path: Path):  # noqa: F811
    phone.command("taskset", 'echo "mask $1" >&2; shift; exec "$@"')
    binary = tool(tmp_path / "android_arm64_benchmark_model", NEW_TFLITE)
    run = ToolRun(binary=binary, file=tmp_path / "net.tflite", threads=4, runs=25, arguments=("--use_xnnpack=true",))
    found = run_own_binary(device, run)
    assert (found.figures.median_ns, found.cores) == (141253e3, (0,))
    assert found.output.startswith("mask 1\n--graph=net.tflite --num_threads=4 --num_runs=25 --warmup_runs=5 --use_xnn")
    assert found.first_line().startswith(
        "UNVERIFIED: figures of benchmark_model, whose outputs nobody looked at; EXPERI"
    )
    assert any("no samples" in one for one in found.lacking)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (record["kind"], record["schema_version"], record["sections"]["phone"]["facts"]["model"]) == (
        "condmix-tool-latency", 1, "Pixel 7",
    )  # fmt: skip
    assert (phone.control / "cmd").read_text().endswith("enabled false\n")
    assert [name for name in phone.left() if name != "condmix-lock"] == []


def test_perf_test_on_a_phone_without_taskset(phone: FakePhone, device: AdbDevice, tmp_path: Path):  # noqa: F811
    phone.command("command", "exit 1")
    binary = tool(tmp_path / "onnxruntime_perf_test", PERF)
    (tmp_path / "libonnxruntime.so").write_bytes(b"library")
    run = ToolRun(binary=binary, file=tmp_path / "net.onnx", threads=2, libraries=(tmp_path / "libonnxruntime.so",))
    found = run_own_binary(device, run)
    assert "-e cpu -m times -r 100 -x 2 -I -s net.onnx" in found.command
    assert found.figures.runs == 100


def test_a_phone_that_is_emulated_gives_no_figure(phone: FakePhone, device: AdbDevice, tmp_path: Path):  # noqa: F811
    phone.command("cat", 'case $1 in /proc/sys/kernel/arch) echo aarch64 ;; *) exec /usr/bin/cat "$@" ;; esac')
    run = ToolRun(binary=tool(tmp_path / "onnxruntime_perf_test", PERF), file=tmp_path / "net.onnx")
    found = run_own_binary(device, run)
    assert found.first_line().startswith("EMULATED: onnxruntime_perf_test ran on an emulated CPU, every figure is with")
    assert (found.figures, found.output) == (ToolFigures(), "")


def test_what_goes_wrong_is_named(phone: FakePhone, device: AdbDevice, tmp_path: Path):  # noqa: F811
    binary, net = (
        tool(tmp_path / "benchmark_model", "ERROR: Op builtin_code out of range: 206\n", code=1),
        tmp_path / "net.tflite",
    )
    twin = tmp_path / "other" / "benchmark_model"
    twin.parent.mkdir()
    twin.write_bytes(b"")
    silent = tool(tmp_path / "benchmark_model_2", "nothing\n")
    for one, file, words in (
        (binary, net, "measure: benchmark_model ended with exit code 1: ERROR: Op builtin_code out of range"),
        (silent, net, "the output of benchmark_model is not understood: no line 'Inference timings"),
        (binary, tmp_path / "net.onnx", "benchmark_model does not read 'net.onnx', expected a .tflite file"),
        (tmp_path / "other", net, "'other' is no tool whose output is known, expected benchmark_model or onnx"),
        (binary, tmp_path / "no.tflite", "push: the model '.*no.tflite' is not there"),
        (binary, twin, "two files have the name 'benchmark_model', and all lie in one folder there. Rename one"),
    ):
        with pytest.raises(DeviceError, match=words):
            run_own_binary(device, ToolRun(binary=one, file=file))
    phone.fail("flip")
    with pytest.raises(DeviceError, match=r"benchmark_model arrived with another content than was sent"):
        run_own_binary(device, ToolRun(binary=binary, file=net))
    phone.heal("flip")
    assert [name for name in phone.left() if name != "condmix-lock"] == []
