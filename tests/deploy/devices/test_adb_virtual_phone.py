"""End to end over the real adb protocol, on an emulated Arm phone without a C library: numerics, faults, traces."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.adb_client import AdbClient
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_archive import phone_python
from condmix.deploy.devices.phone_conditions import PhoneSettings
from condmix.deploy.devices.phone_guard import PhoneGuard
from condmix.deploy.devices.phone_install import install_python
from condmix.deploy.devices.wheels import device_cache
from condmix.deploy.measure.plan import BenchPlan, BenchRequest, make_plan
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.adb_virtual_phone import VirtualPhone, missing_piece, start_phone, userland
from tests.runtime.conftest import build
from tests.runtime.tflite_files import DenseNet

pytestmark = pytest.mark.device
SHORT = BenchSettings(
    warmup_runs=0, warmup_seconds=0.0, minimum_runs=3, minimum_seconds=0.0, block=1, settling_runs=0, openings=1
)
ENDLESS = BenchSettings(
    warmup_runs=0,
    warmup_seconds=0.0,
    minimum_runs=10_000_000,
    minimum_seconds=0.0,
    block=1,
    settling_runs=0,
    openings=1,
)
SETTINGS = PhoneSettings(most_cooling_seconds=0)
RANDOM = np.random.default_rng(7)
KERNEL = RANDOM.standard_normal((6, 3, 3, 3)).astype(np.float32)
IMAGES = RANDOM.standard_normal((3, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def cache() -> Path:
    """The user's own, since a function's would be empty: what was fetched once is not fetched for each test."""
    return device_cache()


@pytest.fixture(scope="module")
def system(cache: Path) -> Path:
    """What a phone is made of."""
    if reason := missing_piece():
        pytest.skip(f"no virtual phone: {reason}")
    return userland(cache)


@pytest.fixture(scope="module")
def running(system: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPhone]:
    made = start_phone(tmp_path_factory.mktemp("phone"), system, port=5471)
    yield made
    made.end()


@pytest.fixture
def phone(running: VirtualPhone, monkeypatch: pytest.MonkeyPatch) -> VirtualPhone:
    """Plugged in, and its adb is the one of this test."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.connect()
    (running.root / "data/cmd.log").unlink(missing_ok=True)
    return running


@pytest.fixture
def device(phone: VirtualPhone, cache: Path) -> Iterator[AdbDevice]:
    assert phone.process.poll() is None
    made = AdbDevice(None, name="adb", cache=cache, settings=SETTINGS, silence_seconds=120)
    yield made
    made.close()


def convolution(images: np.ndarray) -> np.ndarray:
    """[n, 6, 6, 6], by the definition, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(np.float64), (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, KERNEL.astype(np.float64))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> BenchPlan:
    """A convolution in ONNX and a dense layer in TFLite, each with what they must compute."""
    folder = tmp_path_factory.mktemp("models")
    content = build(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        inputs={"x": [1, 3, 8, 8]}, outputs={"y": [1, 6, 6, 6]}, constants={"w": KERNEL},
    )  # fmt: skip
    (folder / "conv.onnx").write_bytes(content)
    outputs = convolution(IMAGES).astype(np.float32)
    right = Reference(
        inputs={"x": IMAGES}, outputs={"y": outputs}, outputs_are="numpy, float64",
        limits={"conv.onnx": Limit(max_abs_difference=1e-4)},
    )  # fmt: skip
    write_reference(folder / "conv.reference.npz", right)
    (folder / "dense.tflite").write_bytes(DenseNet().to_tflite())
    return make_plan(BenchRequest(files=(folder / "conv.onnx", folder / "dense.tflite")))


def settled(phone: VirtualPhone) -> list[str]:
    """What is left after the phone had the time to notice that the link is gone."""
    phone.connect()
    deadline = time.monotonic() + 20
    while "condmix-lock" in phone.left() and time.monotonic() < deadline:
        time.sleep(0.5)
    return phone.left()


def when_measuring(act: Callable[[], object]) -> tuple[Callable[[str], None], threading.Thread]:
    """A `say` that acts, once, when the measurement goes round."""
    thread = threading.Thread(target=act)
    done = threading.Event()

    def say(text: str) -> None:
        if "round" in text and not done.is_set():
            done.set()
            thread.start()

    return say, thread


def test_both_engines_compute_there_what_they_should(phone: VirtualPhone, device: AdbDevice, plan: BenchPlan):
    facts = device.probe()
    assert (facts.machine, facts.libc) == ("aarch64", "glibc")
    report = device.run(plan, SHORT, command=("condmix", "bench"))
    for name in ("conv", "dense"):
        assert report.subject(name).failure is None
    conv = report.subject("conv").agreement
    assert conv.passed
    assert conv.max_abs_difference < 1e-5
    first = report.verdict.first_line()
    assert "EMULATED" in first
    assert "EXPERIMENTAL" in first
    assert all(len(one.samples) == 0 for one in report.subjects)
    assert (report.environment_before.cpu.architecture, report.environment_before.emulated) == ("aarch64", True)
    assert report.sections["phone"]["fixed_performance"] == "fixed performance mode was on"
    log = (phone.root / "data/cmd.log").read_text().splitlines()
    assert (log[0], log[-1]) == (
        "power set-fixed-performance-mode-enabled true", "power set-fixed-performance-mode-enabled false",
    )  # fmt: skip
    device.close()
    kept = phone.left()
    assert [name.partition("-")[0] for name in kept] == ["condmix", "condmix"]
    assert "condmix-work" in kept
    assert list((phone.root / "data/local/tmp/condmix-work").glob("session-*")) == []
    assert "removed" in device.clean()
    assert phone.left() == []


def test_the_cable_is_pulled_out_while_it_measures(phone: VirtualPhone, device: AdbDevice, plan: BenchPlan):
    say, thread = when_measuring(lambda: phone.adb("disconnect"))
    with pytest.raises(
        DeviceError, match=r"adb: measure: .*the link to the phone was lost|adb: measure: nothing was heard"
    ):
        device.run(plan, ENDLESS, say=say)
    thread.join(30)
    device.close()
    assert "condmix-lock" not in settled(phone)
    assert list((phone.root / "data/local/tmp/condmix-work").glob("session-*")) == []
    assert (phone.root / "data/cmd.log").read_text().endswith("enabled false\n")
    processes = phone.adb("shell", "ps -o args").stdout
    assert "job.py" not in processes


def test_the_job_is_killed_while_it_measures(phone: VirtualPhone, device: AdbDevice, plan: BenchPlan):
    kill = "for p in /proc/[0-9]*; do grep -q 'job.py' $p/cmdline 2>/dev/null && kill -9 ${p##*/}; done"
    say, thread = when_measuring(lambda: phone.adb("shell", kill))
    with pytest.raises(DeviceError, match=r"adb: measure: the job ended with exit code -9"):
        device.run(plan, ENDLESS, say=say)
    thread.join(30)
    device.close()
    assert "condmix-lock" not in settled(phone)
    assert (phone.root / "data/cmd.log").read_text().endswith("enabled false\n")


def test_two_at_once_and_the_cable_is_pulled_out_in_between(phone: VirtualPhone, device: AdbDevice):
    client = device.client
    first = PhoneGuard(client, device_lock())
    with pytest.raises(DeviceError, match=r"adb: lock: another session measures on this phone"):
        device.prepare(["onnxruntime"])
    first.remember("touch /data/local/tmp/undone")
    phone.adb("disconnect")
    first.abandon()
    assert "undone" in settled(phone)
    phone.adb("shell", "rm /data/local/tmp/undone")
    PhoneGuard(AdbClient(phone.bin / "adb", None, device="adb"), device_lock()).release()


def device_lock() -> Path:
    return Path("/data/local/tmp/condmix-lock")


def test_a_phone_that_is_full(system: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    full = start_phone(tmp_path, system, port=5472, space="30m")
    try:
        for name, value in full.environment.items():
            monkeypatch.setenv(name, value)
        device = AdbDevice(None, name="adb", cache=cache, settings=SETTINGS)
        with pytest.raises(
            DeviceError, match=r"adb: space: /data/local/tmp has 30 MiB free, expected .* MiB for Python"
        ):
            device.prepare(["onnxruntime"])
        # The same without asking first: the phone itself says that it is full.
        python = phone_python("adb", "aarch64", cache)
        with pytest.raises(DeviceError, match=r"(?i)adb: (push|unpack): .*no space left on"):
            install_python(device.client, device.guard, python, Path("/data/local/tmp"), free_bytes=None)
        device.close()
        assert full.left() == []
    finally:
        full.end()
