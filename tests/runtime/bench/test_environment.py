import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.read_environment import read_environment
from condmix.runtime.errors import InvalidRecordError
from tests.runtime.bench.reports import ENVIRONMENT

PHONE = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n",
    "proc/loadavg": "0.50 0.25 0.10 1/200 4242\n",
    "proc/meminfo": "MemTotal:        4000000 kB\nMemFree:  1 kB\nMemAvailable:    3000000 kB\n",
    "proc/stat": "cpu  10 20 30 40 50 60 70 800 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
    "proc/self/cgroup": "0::/user/app\n",
    "sys/fs/cgroup/user/app/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 2\nthrottled_usec 1500000\n",
    "sys/fs/cgroup/user/app/cpu.max": "150000 100000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "576000\n",
    "sys/devices/system/cpu/cpu10/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu10/cpufreq/cpuinfo_max_freq": "2800000\n",
    "sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq": "<unknown>\n",
    "sys/devices/system/cpu/cpu2/online": "0\n",
    "sys/devices/system/cpu/cpufreq/boost": "1\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "41500\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "-2000\n",
    "sys/class/thermal/thermal_zone2/type": "modem\n",
    "sys/class/power_supply/battery/type": "Battery\n",
    "sys/class/power_supply/battery/status": "Discharging\n",
    "sys/class/power_supply/battery/capacity": "80\n",
    "sys/class/power_supply/usb/type": "USB\n",
    "sys/class/power_supply/usb/online": "0\n",
}


def lay_out(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_phone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("condmix.runtime.bench.read_environment._TICKS_PER_SECOND", 100)
    found = read_environment(lay_out(tmp_path, PHONE))
    assert found.cpu.features == ("ASIMD", "dotprod")
    assert [core.number for core in found.cores] == [0, 2, 10]
    assert (found.cores[0].governor, found.cores[0].maximum_khz, found.cores[0].current_khz) == (
        "schedutil", 1_800_000, 576_000,
    )  # fmt: skip
    assert found.temperatures_celsius == {"cpu-thermal": 41.5, "cpu-thermal (thermal_zone1)": -2.0}
    assert found.load_average == (0.5, 0.25, 0.1)
    assert (found.memory_total_bytes, found.memory_available_bytes) == (4_096_000_000, 3_072_000_000)
    assert found.stolen_seconds == 8.0
    assert (found.throttled_periods, found.throttled_seconds, found.cpu_quota_cores) == (2, 1.5, 1.5)
    assert found.hypervisor is False
    assert found.power == "battery discharging, 80 %"
    assert found.unreadable == {
        "governors and frequencies": "/sys/devices/system/cpu/cpu2/cpufreq: there is none",
        "frequency of core 10": "/sys/devices/system/cpu/cpu10/cpufreq/scaling_cur_freq: not in the form that is known",
        "temperature of modem": "/sys/class/thermal/thermal_zone2/temp: no such file or directory",
        "emulation": "/proc/sys/kernel/arch: no such file or directory",
    }


def test_what_may_not_be_read_is_listed_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lay_out(tmp_path, PHONE)
    read_text = Path.read_text

    def refuse(path: Path, **choices: str) -> str:
        if path.name in ("scaling_cur_freq", "temp", "loadavg"):
            raise PermissionError(13, "Permission denied")
        return read_text(path, **choices)

    monkeypatch.setattr(Path, "read_text", refuse)
    found = read_environment(tmp_path)
    assert found.unreadable["frequency of core 0"].endswith("scaling_cur_freq: permission denied")
    assert found.unreadable["temperature of cpu-thermal"].endswith("temp: permission denied")
    assert found.unreadable["load average"] == "/proc/loadavg: permission denied"
    assert found.cores[0].maximum_khz == 1_800_000
    assert (found.temperatures_celsius, found.load_average) == ({}, None)


def test_a_system_that_tells_nothing(tmp_path: Path):
    found = read_environment(tmp_path)
    assert found.cores == ()
    assert found.power is None
    assert found.hypervisor is None
    assert set(found.unreadable) == {
        "cores", "temperatures", "load average", "memory", "stolen time", "throttling", "hypervisor", "emulation",
        "power source",
    }  # fmt: skip


def test_a_system_whose_files_say_something_else(tmp_path: Path):
    files = {"proc/loadavg": "busy", "proc/meminfo": "", "proc/stat": "intr 3\ncpu  1\n", "proc/self/cgroup": ""}
    found = read_environment(lay_out(tmp_path, files))
    assert {found.unreadable[what] for what in ("load average", "memory", "stolen time")} == {
        "/proc/loadavg: not in the form that is known",
        "/proc/meminfo: not in the form that is known",
        "/proc/stat: not in the form that is known",
    }


def test_the_older_cgroups(tmp_path: Path):
    found = read_environment(
        lay_out(
            tmp_path,
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/box\n0::/\n",
                "sys/fs/cgroup/cpu/box/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 2000000000\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            },
        )
    )
    assert (found.throttled_periods, found.throttled_seconds, found.cpu_quota_cores) == (4, 2.0, 0.5)
    lay_out(tmp_path, {"sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "-1\n"})
    assert read_environment(tmp_path).cpu_quota_cores is None


@pytest.mark.parametrize(
    "files",
    [
        {"proc/cpuinfo": "processor : 0\nflags\t\t: fpu hypervisor avx\n"},
        {"proc/cpuinfo": "", "sys/hypervisor/type": "xen\n"},
        {"proc/cpuinfo": "", "sys/class/dmi/id/sys_vendor": "QEMU\n"},
    ],
)
def test_a_virtual_machine(tmp_path: Path, files: dict[str, str]):
    found = read_environment(lay_out(tmp_path, files))
    assert found.hypervisor is True
    assert found.machine() == "measured on a virtual machine, which may share its cores"


@pytest.mark.parametrize(
    ("process", "kernel", "emulated"),
    [("aarch64", "x86_64", True), ("x86_64", "x86_64", False), ("armv7l", "aarch64", False), ("i686", "x86_64", False)],
)
def test_emulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: str, kernel: str, emulated: bool):
    monkeypatch.setattr("platform.machine", lambda: process)
    found = read_environment(lay_out(tmp_path, {"proc/sys/kernel/arch": f"{kernel}\n"}))
    assert found.emulated is emulated
    assert found.machine() is None, "it has a verdict of its own"


def test_mains(tmp_path: Path):
    files = {"sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "1\n"}
    assert read_environment(lay_out(tmp_path, files)).power == "mains"


def test_this_machine_is_read_without_an_error():
    found = read_environment()
    assert found.cpu.architecture
    assert Environment.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"load_average": [1, 2]}, "'load_average' must be three numbers"),
        ({"temperatures_celsius": {"a": "hot"}}, r"'temperatures_celsius'\['a'\] must be float, found 'hot'"),
        ({"unreadable": {"a": 1}}, r"'unreadable'\['a'\] must be str, found 1"),
        ({"cores": [{}]}, "'number' is missing"),
    ],
)
def test_damaged_records(change: dict[str, object], expected: str):
    with pytest.raises(InvalidRecordError, match=expected):
        Environment.from_dict({**ENVIRONMENT.to_dict(), **change})
