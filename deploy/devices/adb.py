"""Android phones over `adb`: a Python of our own is brought there, then everything is as on a board.

EXPERIMENTAL until somebody confirms it on a physical phone: it was tried against Android's own adb daemon with an Arm
userland behind it, never against Android's C library, kernel and SELinux rules.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from condmix.deploy.devices.adb_choice import choose_device, list_devices
from condmix.deploy.devices.adb_client import PLUG_IN, AdbClient, last_words
from condmix.deploy.devices.adb_executable import find_adb
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.channel import SILENCE_SECONDS, Channel, loader
from condmix.deploy.devices.device import DeviceFacts, Say, engines_of, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_archive import phone_python
from condmix.deploy.devices.phone_check import check_features, check_phone
from condmix.deploy.devices.phone_conditions import PhoneSettings, conditions
from condmix.deploy.devices.phone_cores import choose_cores, core_words
from condmix.deploy.devices.phone_facts import PhoneFacts
from condmix.deploy.devices.phone_guard import PhoneGuard
from condmix.deploy.devices.phone_install import PARTIAL, install_python
from condmix.deploy.devices.phone_probe import probe_phone, read_state
from condmix.deploy.devices.phone_python import PYTHON_VERSION, START
from condmix.deploy.devices.phone_report import PhoneRun, with_phone
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings

FOLDER = PurePosixPath("/data/local/tmp")
_WORK, _LOCK = "condmix-work", "condmix-lock"
_MIB_KIB = 1024
# Debian 12's, which is brought along.
_GLIBC = "2.36"


class AdbDevice:
    """A `Device` (device.py): a phone."""

    def __init__(
        self,
        serial: str | None,
        *,
        name: str,
        cache: Path,
        settings: PhoneSettings | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """serial: None for the only phone there is. cache: of this side."""
        self._serial = serial
        self._name = name
        self._cache = cache
        self._settings = settings or PhoneSettings()
        self._silence_seconds = silence_seconds
        self._now = now
        self._agent = AgentDevice(name, self._connect, cache=cache, now=now)
        self._client: AdbClient | None = None
        self._phone: PhoneFacts | None = None
        self._guard: PhoneGuard | None = None
        self._python: PurePosixPath | None = None
        self._cores: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Under which it is spoken of."""
        return self._name

    @property
    def client(self) -> AdbClient:
        """The link to it. Raises DeviceError when there is none, or it is not clear which is meant."""
        if self._client is None:
            adb = find_adb(self._name)
            chosen = choose_device(list_devices(adb, device=self._name), self._serial, device=self._name)
            client = AdbClient(adb, chosen.serial, device=self._name)
            check_features(client)
            self._client = client
        return self._client

    @property
    def guard(self) -> PhoneGuard:
        """The phone is held for this session, and rid of what another could not remove. Raises DeviceError."""
        if self._guard is None:
            self._guard = PhoneGuard(self.client, FOLDER / _LOCK)
            self.client.shell(f"rm -rf {FOLDER}/{PARTIAL}* {FOLDER / _WORK}/session-*", step="lock")
        return self._guard

    @property
    def settings(self) -> PhoneSettings:
        """How it is treated."""
        return self._settings

    @property
    def phone(self) -> PhoneFacts:
        """What Android says about it. Raises DeviceError."""
        if self._phone is None:
            self._phone = probe_phone(self.client, FOLDER, clock=self._now)
        return self._phone

    def probe(self) -> DeviceFacts:
        """What it is, with the Python that would be brought. Raises DeviceError when it cannot run that."""
        phone = self.phone
        check_phone(self._name, phone, now=self._now())
        return DeviceFacts(
            machine=phone.machine,
            bits=64,
            system=f"Linux {phone.kernel or ''}".strip(),
            kernel_machine=None,
            model=phone.sentence(),
            python=START,
            python_version=(*PYTHON_VERSION, 0),
            implementation="CPython",
            libc="glibc",
            libc_version=_GLIBC,
            numpy=None,
            free_bytes=phone.free_bytes or 0,
            clock=self._now() + (phone.clock_offset_seconds or 0.0),
            folder=str(FOLDER),
        )

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """Python and every engine are there and have computed something small. Raises DeviceError."""
        self.probe()
        if self._python is None:
            python = phone_python(self._name, self.phone.machine, self._cache, say)
            self._python = install_python(
                self.client, self.guard, python, FOLDER, free_bytes=self.phone.free_bytes, say=say
            )
        self._agent.prepare(engines, say)

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report of that phone, cooled down first; what was changed there is as before. Raises DeviceError."""
        phone = self.phone
        threads = max(subject.threads for subject in plan.subjects)
        cores = choose_cores(phone.cores, self._settings.cores, threads, device=self._name)
        if cores != self._cores:
            self._agent.close()  # which cores it may use is settled when its Python starts
            self._cores = cores
        self.prepare(engines_of(plan), say)
        with conditions(self.client, self.guard, self._settings, say=say, stop=stop) as found:
            report = self._agent.run(plan, settings, command=command, say=say, stop=stop)
            after = read_state(self.client, step="measure")
        around = PhoneRun(
            facts=phone, before=found.before, after=after, cooling=found.cooling, cores=cores,
            core_words=core_words(phone.cores), performance=found.performance,
        )  # fmt: skip
        return with_phone(report, around)

    def clean(self) -> str:
        """Nothing of condmix is left there, and every setting is as before. Raises DeviceError."""
        self._agent.close()
        _ = self.guard  # nobody else measures there meanwhile
        client, everything = self.client, f"{FOLDER}/condmix-*"
        script = f"for f in {everything}; do [ $f = {FOLDER}/{_LOCK} ] || {{ du -sk $f; rm -rf $f || exit 1; }}; done"
        next_step = f"Remove it by hand: adb shell 'rm -rf {everything}'"
        said = client.demand(script, step="clean", next_step=next_step, timeout_seconds=120.0)
        self.close()
        sizes = [int(line.split()[0]) for line in said.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
        return f"{self._name}: removed {everything}, {sum(sizes) / _MIB_KIB:.1f} MiB"

    def close(self) -> None:
        """Everything that ran there has ended, what was changed is as before, and the phone is free for others."""
        guard, self._guard = self._guard, None
        self._python, self._phone, self._cores = None, None, ()
        try:
            self._agent.close()
        finally:
            if guard is not None:
                # Without a link nothing can be asked any more, and the guard undoes by itself.
                with contextlib.suppress(DeviceError):
                    guard.release()

    def _connect(self) -> Channel:
        """The agent in the phone's Python, on the chosen cores, which its jobs inherit."""
        assert self._python is not None
        pinned = f"os.sched_setaffinity(0,[{','.join(map(str, self._cores))}]);" if self._cores else ""
        # Nobody else on the phone may change what will be run.
        start = f"import os;os.umask(0o77);{pinned}" + loader(str(FOLDER / _WORK))
        remote = f"exec {self._python} -I -c {shlex.quote(start)}"
        return Channel(
            self._name,
            self.client.command("shell", "-T", remote),
            explain=_explain,
            silence_seconds=self._silence_seconds,
        )


def _explain(code: int, words: str) -> tuple[str, str]:
    said = last_words(words)
    # adb has exit code 1 for its own failures; so has Python, which then shows where.
    if "Traceback" not in words and (code in (0, 1, 255) or code < 0):
        return "the link to the phone was lost" + (f": {said}" if said else ""), PLUG_IN
    how = f"Python on the phone ended with exit code {code}" + (f": {said}" if said else "")
    return how, "Close the apps of the phone, or choose other cores, and run it again."
