"""Emulated CPUs: what engines see of them, and what is said when a piece is missing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.devices import arm_userland
from condmix.deploy.devices.address import EMULATED, parse_address
from condmix.deploy.devices.arm_userland import interpreter
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.emulated_cpu import CPUS
from condmix.deploy.devices.errors import DeviceError
from condmix.runtime.cpu import parse_cpuinfo


def test_there_is_a_cpu_for_each_address():
    assert set(CPUS) == set(EMULATED)


@pytest.mark.parametrize(
    ("name", "part", "features"),
    [
        ("cortex-a53", "0xd03", ("ASIMD",)),
        ("cortex-a76", "0xd0b", ("ASIMD", "FP16", "dotprod")),
        ("armv7", "0xc07", ("NEON",)),
    ],
)
def test_each_describes_itself_as_it_is(name: str, part: str, features: tuple[str, ...]):
    assert parse_cpuinfo(CPUS[name].cpuinfo()) == ((f"implementer 0x41 part {part}",), features)


def test_without_qemu_or_mmdebstrap_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    device = EmulatedDevice(parse_address("emulated:cortex-a53"), name="a53", cache=tmp_path)
    monkeypatch.setattr(arm_userland.shutil, "which", lambda _: None)
    with pytest.raises(
        DeviceError, match=r"a53: connect: there is no qemu-aarch64-static .*install qemu-user-static\."
    ):
        device.probe()
    monkeypatch.setattr(arm_userland.shutil, "which", lambda name: "/usr/bin/qemu" if "qemu" in name else None)
    with pytest.raises(DeviceError, match=r"a53: connect: there is no mmdebstrap .*apt-get install mmdebstrap\."):
        device.probe()
    device.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_userland_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arm_userland.shutil, "which", lambda _: "/bin/false")
    with pytest.raises(DeviceError, match="a53: connect: mmdebstrap made no userland"):
        interpreter("a53", CPUS["cortex-a53"], tmp_path)
    assert list((tmp_path / "userlands").iterdir()) == []


def test_the_interpreter_is_a_program_that_starts_itself_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "userlands/bookworm-armhf-armv7"
    root.mkdir(parents=True)
    monkeypatch.setattr(arm_userland.shutil, "which", lambda name: f"/opt/{name}")
    program = interpreter("v7", CPUS["armv7"], tmp_path)
    text = program.read_text()
    assert f"-0 {program} -L {root}" in text
    assert "QEMU_CPU=cortex-a7 /opt/qemu-arm-static" in text
    assert program.stat().st_mode & 0o111
    assert interpreter("v7", CPUS["armv7"], tmp_path) == program
