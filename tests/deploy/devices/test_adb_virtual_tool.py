"""condmix bench --tool over the real adb protocol, on the emulated Arm phone: a script that prints what a tool does."""

from pathlib import Path

import pytest

from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.adb_own_binary import run_own_binary
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_conditions import PhoneSettings
from condmix.deploy.devices.tool_result import ToolRun
from condmix.deploy.devices.wheels import device_cache
from tests.deploy.devices.adb_virtual_phone import missing_piece, start_phone, userland
from tests.deploy.devices.test_adb_own_binary import NEW_TFLITE, tool

pytestmark = pytest.mark.device


def test_a_tool_runs_there_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if reason := missing_piece():
        pytest.skip(f"no virtual phone: {reason}")
    phone = start_phone(tmp_path, userland(device_cache()), port=5473)
    try:
        for name, value in phone.environment.items():
            monkeypatch.setenv(name, value)
        phone.connect()
        (tmp_path / "net.tflite").write_bytes(b"model")
        run = ToolRun(binary=tool(tmp_path / "benchmark_model", NEW_TFLITE), file=tmp_path / "net.tflite", runs=25)
        device = AdbDevice(None, name="adb", cache=tmp_path, settings=PhoneSettings(most_cooling_seconds=0))
        found = run_own_binary(device, run)
        assert found.first_line().startswith("EMULATED: benchmark_model ran on an emulated CPU, every figure is")
        assert found.figures.mean_ns is None
        failing = ToolRun(binary=tool(tmp_path / "benchmark_model_2", "no such op\n", code=1), file=run.file)
        with pytest.raises(DeviceError, match=r"adb: measure: benchmark_model ended with exit code 1: .*no such op"):
            run_own_binary(device, failing)
        device.close()
        assert phone.left() == []
    finally:
        phone.end()
