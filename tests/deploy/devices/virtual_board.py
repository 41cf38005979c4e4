"""Virtual Arm boards behind a real sshd: Debian of 64 and of 32 bits under qemu, in namespaces of their own.

sshd and everything that it starts are Arm programs. A board's user may log in with one key; what a board writes lies in
a folder of the test. `ssh` on the PATH of whoever uses it knows the boards by name, as ~/.ssh/config would.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from condmix.deploy.devices.arm_userland import SUITE, debian_mirror
from condmix.deploy.devices.emulated_cpu import CPUS, EmulatedCpu

_PACKAGES = "python3,openssh-server,dash,coreutils,tar,libstdc++6,libgomp1,libatomic1,libfaketime"
_SPACE = "400m"
HOME = "home/pi"
"""Of the board's user, below the board's root."""
_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class BoardKind:
    """One kind of board. elf: magic and mask of its programs, in binfmt_misc's words. more: Debian packages."""

    cpu: EmulatedCpu
    triplet: str
    elf: str
    more: str = ""


def _elf(bits: int, machine: int) -> str:
    magic = rf"\x7fELF\x{bits:02x}\x01\x01" + r"\x00" * 9 + rf"\x02\x00\x{machine:02x}\x00"
    mask = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
    return f"{magic}:{mask}"


AARCH64 = BoardKind(cpu=CPUS["cortex-a53"], triplet="aarch64-linux-gnu", elf=_elf(2, 0xB7))
# numpy as Debian has it: there are no wheels of it for 32 bits.
ARMV7 = BoardKind(cpu=CPUS["armv7"], triplet="arm-linux-gnueabihf", elf=_elf(1, 0x28), more=",python3-numpy")


def missing_piece(kind: BoardKind) -> str | None:
    """Why there can be no such board here; None when there can."""
    for program, package in (
        (kind.cpu.qemu, "qemu-user-static"), ("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"),
        ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client"),
    ):  # fmt: skip
        if shutil.which(program) is None:
            return f"no {program} on the PATH (apt install {package})"
    with tempfile.TemporaryDirectory() as place:
        # A binfmt_misc of one's own is there since Linux 6.7.
        probe = "mount -t tmpfs t $0 && mkdir $0/b && mount -t binfmt_misc b $0/b && test -w $0/b/register"
        ran = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", probe, place],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return None if ran.returncode == 0 else f"no private namespaces or binfmt_misc here: {ran.stderr.strip()[-200:]}"


def userland(kind: BoardKind, cache: Path) -> Path:
    """Debian with Python and sshd, made once. Raises CalledProcessError when nothing can be fetched."""
    root = cache / "tests" / f"{SUITE}-{kind.cpu.debian}-sshd"
    if root.is_dir():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.with_name(f".{root.name}-{os.getpid()}")
    command = ["mmdebstrap", "--quiet", f"--architectures={kind.cpu.debian}", "--variant=extract"]
    command += [f"--include={_PACKAGES}{kind.more}", SUITE, str(partial), *debian_mirror()]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        for name in ("proc", "sys", "run", "home", "root"):
            (partial / name).mkdir(exist_ok=True)
        # What the packages' own scripts would have done, which do not run in a mere extraction.
        (partial / "etc/passwd").write_text("pi:x:1000:1000:pi:/home/pi:/bin/sh\n")
        (partial / "etc/group").write_text("pi:x:1000:\n")
        libraries = partial / "usr/lib" / kind.triplet
        for name in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
            if (libraries / name).exists():
                (libraries / Path(name).name).symlink_to(name)
        if not root.is_dir():  # else another run was faster
            partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root


@dataclass
class VirtualBoard:
    """A board, on or off. folder: what it writes. bin: to be put before PATH; its ssh knows the board as `name`."""

    name: str
    kind: BoardKind
    folder: Path
    userland: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def home(self) -> Path:
        """Of its user, as this machine sees it."""
        return self.folder / HOME

    @property
    def kept(self) -> Path:
        """Where it keeps what it is brought."""
        return self.home / ".cache/condmix-device"

    @property
    def config(self) -> str:
        """What ssh is to know of it."""
        keys = self.folder / "keys"
        return (
            f"Host {self.name}\n  HostName 127.0.0.1\n  Port {self.port}\n  User pi\n  IdentityFile {keys}/user\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {keys}/known\n"
        )

    def switch_on(self) -> None:
        """Its sshd listens. Raises AssertionError with its last words."""
        assert self.process is None
        script = Path(__file__).with_name("board.sh")
        log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child=KILL",
             "bash", str(script), str(self.userland), str(self.folder), str(shutil.which(self.kind.cpu.qemu))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "QEMU_CPU": self.kind.cpu.model,
                 "BOARD_SPACE": _SPACE},
        )  # fmt: skip
        log.close()
        wait_for(self._listens, lambda: (self.folder / "log").read_text()[-500:])

    def switch_off(self) -> None:
        """As by pulling its plug: every process is killed at once; what lies on its disk stays."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()  # with it its child, the first of its namespace, and so all
            process.wait(20)
            wait_for(lambda: not self._listens())

    def processes(self, *words: str) -> list[int]:
        """Of the board, whose command line has all of these words."""
        assert self.process is not None
        own = Path(f"/proc/{self.process.pid}/ns/pid_for_children").readlink()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                said = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if all(word in said for word in words) and (place / "ns/pid").readlink() == own:
                    found.append(int(place.name))
            except OSError:
                continue  # ended meanwhile
        return found

    def send(self, number: int, *words: str) -> None:
        """A signal to those processes, of which there is one at least."""
        found = self.processes(*words)
        assert found, words
        for process in found:
            os.kill(process, number)

    def disk(self) -> Path:
        """Its small disk, /home/pi/small, as this machine sees it."""
        assert self.process is not None
        first = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
        root = Path("/proc", first, "root")  # Linux shows the board's own file system there
        return root / HOME / "small"

    def sessions(self, folder: Path | None = None) -> list[Path]:
        """What sessions have left; a cut one may take a moment to notice."""
        return list((folder or self.kept).glob("session-*"))

    def assert_tidy(self, folder: Path | None = None) -> None:
        """No job, no file of a session, no half-written package."""
        place = folder or self.kept
        wait_for(lambda: not self.sessions(place) and not self.processes("job.py"), lambda: str(self.sessions(place)))
        assert list(place.rglob("*.partial")) == []
        assert all((one / ".condmix-sizes.json").is_file() for one in place.glob("packages/*"))

    def _listens(self) -> bool:
        assert self.process is None or self.process.poll() is None, (self.folder / "log").read_text()[-500:]
        with socket.socket() as visitor:
            return visitor.connect_ex(("127.0.0.1", self.port)) == 0


def make_board(name: str, kind: BoardKind, userland: Path, folder: Path) -> VirtualBoard:
    """It is off; it has keys, a user with an empty home, and a port of its own."""
    for place in ("binfmt", "root", f"{HOME}/small", "run/board", "tmp", "keys"):
        (folder / place).mkdir(parents=True)
    keys = folder / "keys"
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / key)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (keys / "known").write_text(f"[127.0.0.1]:{port} {' '.join((keys / 'host.pub').read_text().split()[:2])}\n")
    shutil.copy(keys / "host", folder / "run/board/host")
    shutil.copy(keys / "user.pub", folder / "run/board/user.pub")
    # PermitUserEnvironment: a test may give programs of the board another clock, by its ~/.ssh/environment.
    (folder / "run/board/sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey /run/board/host\nAuthorizedKeysFile /run/board/user.pub\n"
        "PidFile none\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n"
        "PermitUserEnvironment yes\n"
    )
    (folder / "cpuinfo").write_text(kind.cpu.cpuinfo())
    (folder / "elf").write_text(kind.elf)
    return VirtualBoard(name=name, kind=kind, folder=folder, userland=userland, port=port)


def ssh_program(folder: Path, *boards: VirtualBoard, more: str = "") -> Path:
    """The folder of an `ssh` that knows these boards by name. more: of a config."""
    programs = folder / "bin"
    programs.mkdir()
    (folder / "ssh_config").write_text("".join(board.config for board in boards) + more)
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "ssh_config"} "$@"\n')
    (programs / "ssh").chmod(0o755)
    return programs


def wait_for(condition: Callable[[], object], found: Callable[[], str] = str, seconds: float = _SECONDS) -> None:
    """It is true. Raises AssertionError with what was found when it never was."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it never came true; {found()}"
        time.sleep(0.05)
