"""A program `adb` that runs the commands for a phone in a folder of this machine, and fails as it is told to."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from condmix.deploy.devices import adb, adb_own_binary
from condmix.deploy.devices.adb_client import AdbClient
from condmix.deploy.devices.phone_python import _CHECK_SCRIPT, CHECK, START, PhonePython, read_phone_python

SERIAL = "R58M12ABCDE"
_ADB = """#!/bin/sh
control=@CONTROL@
printf '%s\\n' "$*" >> "$control/log"
if [ "$1" = devices ]; then cat "$control/devices"; exit 0; fi
if [ "$1" = -s ]; then serial=$2; shift 2; fi
if [ -f "$control/unplugged" ]; then echo "adb: device '$serial' not found" >&2; exit 1; fi
case $1 in
features) cat "$control/features" ;;
shell)
  shift
  if [ "$1" = -T ]; then shift; fi
  if [ -f "$control/hang" ]; then exec sleep 60; fi
  cd @PHONE@ && PATH=@PHONE@/bin:/usr/bin:/bin exec sh -c "$*" ;;
push)
  if [ -f "$control/cut" ]; then
    head -c 1000 "$2" > "$3"
    echo "adb: error: failed to copy '$2' to '$3': failed to read copy response: EOF" >&2; exit 1
  fi
  if [ -f "$control/full" ]; then
    head -c 1000 "$2" > "$3"
    echo "adb: error: failed to copy '$2' to '$3': remote couldn't write file: No space left on device" >&2; exit 1
  fi
  cp "$2" "$3"
  if [ -f "$control/flip" ]; then printf x >> "$3"; fi
  echo "$2: 1 file pushed" ;;
*) exit 2 ;;
esac
"""


@dataclass(frozen=True)
class FakePhone:
    """tmp: what /data/local/tmp is. A file in `control` is a fault: cut, full, flip, hang, unplugged."""

    program: Path
    control: Path
    bin: Path
    tmp: PurePosixPath

    def fail(self, fault: str) -> None:
        """From now on."""
        (self.control / fault).touch()

    def heal(self, fault: str) -> None:
        """No longer."""
        (self.control / fault).unlink()

    def devices(self, *lines: str) -> None:
        """What `adb devices -l` lists."""
        (self.control / "devices").write_text("\n".join(["List of devices attached", *lines, ""]))

    def command(self, name: str, text: str) -> None:
        """A program of the phone, in shell."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def client(self) -> AdbClient:
        """The link to it."""
        return AdbClient(self.program, SERIAL, device="adb")

    def left(self) -> list[str]:
        """The names in /data/local/tmp."""
        return sorted(os.listdir(self.tmp))  # noqa: PTH208

    @property
    def log(self) -> str:
        """Every call of adb."""
        return (self.control / "log").read_text()


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    """A cool phone of this machine's own CPU, whose `adb` is the first on PATH."""
    for name in ("host", "control", "phone/bin", "phone/tmp"):
        (tmp_path / name).mkdir(parents=True)
    control, root = tmp_path / "control", tmp_path / "phone"
    program = tmp_path / "host/adb"
    program.write_text(_ADB.replace("@CONTROL@", str(control)).replace("@PHONE@", str(root)))
    program.chmod(0o755)
    (control / "log").touch()
    (control / "features").write_text("shell_v2\ncmd\n")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    made = FakePhone(program, control, root / "bin", PurePosixPath(root / "tmp"))
    monkeypatch.setattr(adb, "FOLDER", made.tmp)
    monkeypatch.setattr(adb_own_binary, "FOLDER", made.tmp)
    made.devices(f"{SERIAL}          device usb:1-1 product:p model:Pixel_7 device:d transport_id:1")
    made.command("uname", 'case $1 in -m) echo x86_64 ;; *) exec /usr/bin/uname "$@" ;; esac')
    made.command("getprop", "cat <<'E'\n[ro.product.cpu.abilist]: [x86_64,arm64-v8a]\n[ro.product.model]: [Pixel 7]\nE")
    made.command("dumpsys", f"case $1 in battery) cat <<'E'\n{BATTERY}E\n;; *) cat <<'E'\n{THERMAL}E\n;; esac")
    made.command("cmd", f'echo "$*" >> {control}/cmd')
    return made


def fake_python(path: Path, more: Mapping[str, bytes] | None = None) -> PhonePython:
    """An archive as for a phone, whose Python is the one of these tests."""
    content = {
        START: f'#!/bin/sh\nexec {sys.executable} "$@"\n'.encode(),
        CHECK: _CHECK_SCRIPT.encode(),
        "lib/one.py": b"1\n",
        **(more or {}),
    }
    content["FILES"] = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(content.items())
    ).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return read_phone_python(path, "x86_64")


BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 41
  scale: 50
  voltage: 4157
  temperature: 287
  technology: Li-ion
"""
THERMAL = """IsStatusOverride: false
ThermalEventListeners:
	callbacks: 2
Thermal Status: 0
Cached temperatures:
	Temperature{mValue=55.0, mType=3, mName=old-skin, mStatus=0}
HAL Ready: true
HAL connection:
	ThermalHAL 2.0 connected: yes
Current temperatures from HAL:
	Temperature{mValue=36.25, mType=0, mName=BIG, mStatus=0}
	Temperature{mValue=NaN, mType=1, mName=G3D, mStatus=0}
	Temperature{mValue=31.5, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
	Temperature{mValue=28.0, mType=2, mName=battery, mStatus=0}
	Temperature{mValue=-0.5, mType=7, mName=bcl_current, mStatus=0}
Current cooling devices from HAL:
	CoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
Temperature static thresholds from HAL:
	TemperatureThreshold{.type = SKIN, .name = VIRTUAL-SKIN, .hotThrottlingThresholds = [NaN, 39.0]}
"""
