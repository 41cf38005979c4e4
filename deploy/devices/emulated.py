"""Arm CPUs under qemu's user-mode emulation: what a file computes there, never how long it takes."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.devices.address import Address
from condmix.deploy.devices.agent_device import AgentDevice
from condmix.deploy.devices.arm_userland import interpreter
from condmix.deploy.devices.channel import Channel, loader
from condmix.deploy.devices.device import DeviceFacts, Say, silent
from condmix.deploy.devices.emulated_cpu import CPUS
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.withheld import without_latency

SILENCE_SECONDS = 180.0
# The images of the reference run once in any case; more would only take time.
_ONCE = BenchSettings(
    warmup_runs=0,
    warmup_seconds=0.0,
    minimum_runs=1,
    minimum_seconds=0.0,
    block=1,
    settling_runs=0,
    openings=1,
)


class EmulatedDevice:
    """A `Device` (device.py): the agent runs in an emulated Python, everything else is as on a board."""

    def __init__(self, address: Address, *, name: str, cache: Path) -> None:
        """cache: of this side, for the userland and for what a board would keep."""
        self._cpu = CPUS[str(address.cpu)]
        self._cache = cache
        self._device = AgentDevice(name, self._connect, cache=cache)

    @property
    def name(self) -> str:
        """Under which it is spoken of."""
        return self._device.name

    def probe(self) -> DeviceFacts:
        """What it is. Raises DeviceError when a piece is missing here."""
        return self._device.probe()

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """Every engine is there and has computed something small. Raises DeviceError."""
        self._device.prepare(engines, say)

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report, without a single time. settings: the seed alone counts. Raises DeviceError."""
        once = dataclasses.replace(_ONCE, seed=settings.seed)
        report = self._device.run(plan, once, command=command, say=say, stop=stop)
        return without_latency(report, f"{self._cpu.name} under {self._cpu.qemu.removesuffix('-static')}")

    def clean(self) -> str:
        """Nothing of condmix is left there but the userland, which is this side's. Raises DeviceError."""
        return self._device.clean()

    def close(self) -> None:
        """The session has ended."""
        self._device.close()

    def _connect(self) -> Channel:
        program = interpreter(self.name, self._cpu, self._cache)
        base = self._cache / "emulated" / self._cpu.name
        # Nothing of this process's own environment: a PYTHONPATH or a virtual environment would be of another CPU.
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        environment["OMP_NUM_THREADS"] = "1"
        return Channel(
            self.name,
            [str(program), "-c", loader(str(base))],
            explain=_explain,
            environment=environment,
            silence_seconds=SILENCE_SECONDS,
        )


def _explain(code: int, words: str) -> tuple[str, str]:
    said = " ".join(words.split())[-300:]
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    found = f"the emulated interpreter ended with {how}" + (f": {said}" if said else "")
    return found, "Run it again; if it recurs, remove its userland from the cache, or try a newer qemu."
