"""Candidates on a device, in one interleaved run: contents in, ratios with their intervals out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from condmix.deploy.devices.device import Device, Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.measure.plan import BenchPlan
from condmix.deploy.tune.paired import median_ms, paired_ratio
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import ONNXRUNTIME, BenchSubject
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.probe import ONNX_MODEL

# Twenty rounds are the fewest that an interval is made of. Most of the time goes into starting processes: one of each
# candidate tells which are worth more.
SCREEN = BenchSettings(
    warmup_runs=3,
    warmup_seconds=0.02,
    minimum_runs=60,
    minimum_seconds=0.03,
    maximum_seconds=30.0,
    block=3,
    settling_runs=1,
    openings=1,
)
BLOCK = replace(SCREEN, minimum_runs=90, openings=2)
NETWORK = replace(SCREEN, warmup_seconds=0.05, minimum_runs=96, maximum_seconds=180.0, openings=4)
_ONCE = BenchSettings(
    warmup_runs=0, warmup_seconds=0.0, minimum_runs=1, minimum_seconds=0.0, block=1, settling_runs=0, openings=1
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it is measured. name: of the device. runtime: engine and version."""

    name: str
    cpu: CpuFacts
    runtime: str

    def sentence(self) -> str:
        """For a person."""
        return f"{', '.join(self.cpu.model_names) or self.cpu.architecture}"

    def facts(self) -> dict[str, object]:
        """What decides how fast a file runs there, without the name it is spoken of by."""
        return {
            "architecture": self.cpu.architecture,
            "model_names": list(self.cpu.model_names),
            "features": list(self.cpu.features),
            "runtime": self.runtime,
        }


class Measuring:
    """One device, with the threads and images of a call that all candidates are measured with."""

    def __init__(self, device: Device, *, threads: int, batch: int | None) -> None:
        """batch: of files with a free batch axis; None for others."""
        self._device = device
        self._threads = threads
        self._batch = batch

    def machine(self, say: Say = silent) -> Machine:
        """What the device is. Raises DeviceError, also for an emulated CPU, which has no latency."""
        report, _ = self._run({"probe": ONNX_MODEL}, _ONCE, None, say)
        subject = report.subjects[0]
        if report.environment_before.emulated:
            found = "its CPU is emulated: how long something takes there says nothing"
            raise DeviceError(self._device.name, "tune", found, "Tune on a real one, or use --forms FILE.")
        if subject.failure is not None:
            raise DeviceError(self._device.name, "tune", subject.failure, "Install onnxruntime there.")
        cpu = report.environment_before.cpu
        return Machine(name=self._device.name, cpu=cpu, runtime=f"{ONNXRUNTIME} {subject.engine_version}")

    def run(self, files: Mapping[str, bytes], settings: BenchSettings, say: Say = silent) -> TimedRun:
        """All files against the first. Raises DeviceError, KeyboardInterrupt."""
        report, names = self._run(files, settings, self._batch, say)
        if report.interrupted is not None:
            raise KeyboardInterrupt
        first, *others = names
        control = paired_ratio(report, report.control, first)
        failure = report.subject(first).failure
        own = Timed(name=first, ratio=None if failure else 1.0, low=None, high=None, failure=failure)
        return TimedRun(
            candidates=(own, *(_timed(report, name, first) for name in others)),
            noise_floor=None if control is None else control.reach,
            median_ms=median_ms(report, first),
        )

    def facts(self) -> dict[str, object]:
        """What a measurement depends on besides files and machine."""
        return {"threads": self._threads, "measured_batch": self._batch}

    def _run(
        self, files: Mapping[str, bytes], settings: BenchSettings, batch: int | None, say: Say
    ) -> tuple[BenchReport, list[str]]:
        with tempfile.TemporaryDirectory(prefix="condmix-tune-") as folder:
            subjects = []
            for place, (name, content) in enumerate(files.items()):
                path = Path(folder, f"candidate_{place}.onnx")
                path.write_bytes(content)
                one = BenchSubject(name=name, file=path, engine=ONNXRUNTIME, threads=self._threads, batch=batch)
                subjects.append(one)
            plan = BenchPlan(subjects=tuple(subjects), inputs={}, references={}, notes=())
            return self._device.run(plan, settings, say=say), list(files)


def settings_facts(settings: BenchSettings) -> dict[str, object]:
    """As plain data."""
    return asdict(settings)


def _timed(report: BenchReport, name: str, first: str) -> Timed:
    failure = report.subject(name).failure
    if failure is not None:
        return Timed(name=name, ratio=None, low=None, high=None, failure=failure)
    found = paired_ratio(report, name, first)
    if found is None:
        return Timed(name=name, ratio=None, low=None, high=None, failure="no round in common with the first candidate")
    return Timed(name=name, ratio=found.ratio, low=found.low, high=found.high)
