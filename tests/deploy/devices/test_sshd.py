"""A real sshd on loopback: real wheels, a measurement, and faults. Needs OpenSSH's server and a package index."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from condmix.deploy.devices.address import parse_address
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.device import Device
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.side_by_side import measure_side_by_side
from condmix.deploy.devices.ssh import ssh_device
from condmix.deploy.devices.wheels import device_cache
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.exported import export_all, plan_of

pytestmark = pytest.mark.device
SETTINGS = BenchSettings(warmup_seconds=0.05, minimum_seconds=0.0, minimum_runs=100, openings=1)
LONG = BenchSettings(warmup_seconds=0.05, minimum_seconds=60.0, openings=1)
_SMALL_DISK_MIB = 150


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running sshd, and the config of a user who may log in. home: what XDG_CACHE_HOME is for whoever does."""

    config: Path
    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "condmix-device"

    def device(self) -> AgentDevice:
        address = parse_address("ssh://board")
        return ssh_device(address, name="board", cache=device_cache(), options=("-F", str(self.config)))

    def assert_tidy(self) -> None:
        """No file of a session and no half-written package."""
        end = time.monotonic() + 10
        while list(self.folder.glob("session-*")):
            assert time.monotonic() < end, list(self.folder.glob("session-*"))
            time.sleep(0.1)
        assert list(self.home.rglob("*.partial")) == []
        assert all((one / ".condmix-sizes.json").is_file() for one in self.folder.glob("packages/*"))


def _listens(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """With its own port, keys and config, for the user who runs the test."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).is_file() or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd: apt-get install openssh-server openssh-client")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which the system's own service would make
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    home = folder / "cache"
    home.mkdir()
    (folder / "server").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile none\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n"
        f"SetEnv XDG_CACHE_HOME={home}\n"
    )
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}\n")
    config = folder / "client"
    config.write_text(
        f"Host board\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "server")], stderr=log)
    try:
        end = time.monotonic() + 10
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                pytest.skip(f"sshd does not start here: {(folder / 'log').read_text()[-300:]}")
            time.sleep(0.05)
        yield Server(config=config, home=home)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> BenchPlan:
    return plan_of(export_all(tmp_path_factory.mktemp("exported")))


def test_from_nothing_to_a_report_and_back_to_nothing(server: Server, plan: BenchPlan):
    for bringing in (True, False):
        stages: list[str] = []
        device = server.device()
        try:
            report = device.run(plan, SETTINGS, say=stages.append)
        except DeviceError as error:
            if "pip found no wheels" in str(error):
                pytest.skip(f"no package index: {error}")
            raise
        finally:
            device.close()
        assert any("bringing" in stage for stage in stages) is bringing
        for record in report.subjects:
            assert record.agreement is not None
            sys.stdout.write(f"{record.name} {record.engine_version}: {record.agreement.detail}\n")
            assert record.agreement.passed
            assert len(record.samples) >= 100
        server.assert_tidy()
    assert {path.name for path in server.home.iterdir()} == {"condmix-device"}, "no engine left anything of its own"
    device = server.device()
    assert "removed" in device.clean()
    assert list(server.home.iterdir()) == []


def _cut_when(device: AgentDevice, word: str) -> Callable[[str], None]:
    def cut(stage: str) -> None:
        if word in stage:
            assert device._channel is not None
            device._channel._process.kill()

    return cut


@pytest.mark.parametrize("word", ["bringing onnxruntime", "measuring, round 3"])
def test_a_cut_link(server: Server, plan: BenchPlan, word: str):
    device = server.device()
    with pytest.raises(DeviceError, match=r"^board: (push|measure): the connection was lost"):
        device.run(plan, LONG, say=_cut_when(device, word))
    device.close()
    server.assert_tidy()


def test_an_agent_and_job_that_are_killed(server: Server, plan: BenchPlan):
    def kill(stage: str) -> None:
        if "measuring, round 3" in stage:
            os.kill(int((server.folder / "lock").read_text().split()[1]), 9)

    device = server.device()
    with pytest.raises(DeviceError, match=r"^board: measure: the connection was lost"):
        device.run(plan, LONG, say=kill)
    device.close()
    server.assert_tidy()


def test_two_runs_at_once(server: Server, plan: BenchPlan):
    first = server.device()
    first.prepare(["onnxruntime", "litert"])
    devices: list[tuple[str, Device]] = [("ssh://board", server.device())]
    result = measure_side_by_side(devices, plan, SETTINGS)
    assert result.failures["board"].startswith("board: lock: in use by process ")
    assert result.exit_code is ExitCode.MISSING
    first.close()
    server.assert_tidy()


def test_ctrl_c_keeps_what_was_measured(server: Server, plan: BenchPlan):
    stop, device = threading.Event(), server.device()

    def say(stage: str) -> None:
        if "measuring, round 4" in stage:
            stop.set()

    try:
        report = device.run(plan, LONG, say=say, stop=stop)
    finally:
        device.close()
    assert report.interrupted is not None
    assert report.rounds >= 3
    server.assert_tidy()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    if shutil.which("mount") is None:
        pytest.skip("no mount on the PATH (apt install mount)")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_MIB}m", "condmix-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, plan: BenchPlan):
    with running_server(small_disk) as server:
        device = server.device()
        with pytest.raises(DeviceError, match=r"^board: space: .* MiB free, expected \d+ MiB for \d+ packages"):
            device.run(plan, SETTINGS)
        device.close()
        server.assert_tidy()

        device = server.device()

        def fill(stage: str) -> None:
            if "bringing onnxruntime" in stage:  # now there is room for a part of it
                size = shutil.disk_usage(small_disk).free - (4 << 20)
                (small_disk / "filler").write_bytes(bytes(size))

        device.probe()
        assert device._facts is not None
        object.__setattr__(device._facts, "free_bytes", 1 << 40)
        with pytest.raises(DeviceError, match=r"^board: push: No space left on device\. Free space there"):
            device.run(plan, SETTINGS, say=fill)
        device.close()
        server.assert_tidy()
