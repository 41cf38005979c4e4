"""A device that runs the agent: packages are brought once, then jobs, over one connection that ends everything."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from condmix.deploy.devices.channel import Channel
from condmix.deploy.devices.device import DeviceFacts, Say, engines_of, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.job_files import JobFiles
from condmix.deploy.devices.requirements import check_device, requirements
from condmix.deploy.devices.wheels import Package, fetch, keep
from condmix.deploy.measure.plan import BenchPlan
from condmix.deploy.measure.runner import runner_content
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.withheld import without_latency
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError

_MIB = 1 << 20
_ROOM_TO_SPARE_BYTES = 16 * _MIB
_REPORT = "report.json"
_INTERRUPTED = 130


class AgentDevice:
    """A `Device` (device.py) behind whatever can start a Python on it."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Channel],
        *,
        cache: Path,
        architecture: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """cache: of this side. architecture: that it must have, where somebody said so."""
        self._name = name
        self._connect = connect
        self._cache = cache
        self._architecture = architecture
        self._now = now
        self._channel: Channel | None = None
        self._facts: DeviceFacts | None = None
        self._locked = False
        self._packages: tuple[str, ...] = ()
        self._engines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Under which it is spoken of."""
        return self._name

    def probe(self) -> DeviceFacts:
        """What it is. Raises DeviceError when it cannot be reached, or can never run an engine."""
        if self._facts is None:
            channel = self._open()
            try:
                facts = DeviceFacts.from_dict(channel.facts)
            except (InvalidRecordError, InvalidSettingError) as error:
                raise channel.error("; ".join(error.problems)) from error
            check_device(self._name, facts, now=self._now(), expected_architecture=self._architecture)
            self._facts = facts
        return self._facts

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """Every engine is there and has computed something small. Raises DeviceError."""
        with self._tidied():
            self._prepare(engines, say)

    def _prepare(self, engines: Sequence[str], say: Say) -> None:
        if self._engines and set(engines) <= set(self._engines):
            return
        facts = self.probe()
        channel = self._lock()
        say(f"{self._name}: packages for {facts.sentence()}")
        packages = (
            *fetch(self._name, requirements(self._name, facts, engines), self._cache),
            keep("condmix-runtime.zip", runner_content(), self._cache),
        )
        damaged = self._bring(channel, packages, say)
        say(f"{self._name}: a small inference")
        problem = self._try(channel, facts, engines)
        if problem is not None and not damaged:
            # What the cache on the device holds has the right sizes and still does not work: it is brought once more.
            self._forget(channel, packages)
            self._bring(channel, packages, say)
            problem = self._try(channel, facts, engines)
        if problem is not None:
            channel.step = "small inference"
            next_step = "The packages do not run there: compare its CPU and system with what the engine asks for."
            raise channel.error(problem, next_step)
        self._engines = tuple(engines)

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report of that device, with the paths of this side. Raises DeviceError."""
        with self._tidied():
            return self._measure(plan, settings, command, say, stop)

    def _measure(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        command: Sequence[str],
        say: Say,
        stop: threading.Event | None,
    ) -> BenchReport:
        self._prepare(engines_of(plan), say)
        channel, facts = self._lock(), self.probe()
        job = JobFiles(plan, settings, command)
        for name, content in job.contents():
            channel.put("push", name, content)
        say(f"{self._name}: measuring")
        channel.send("measure", self._run_message(facts, ["measure", "job.json", _REPORT]))
        head, content = channel.answer(on_progress=lambda text: say(f"{self._name}: {text}"), stop=stop)
        if head["code"] != 0 or not content:
            words = " ".join(str(head["errors"]).split()) or "without a word"
            found = f"the job ended with exit code {head['code']}: {words}"
            raise channel.error(found)
        channel.step = "report"
        try:
            report = BenchReport.from_dict(json.loads(content))
        except (ValueError, InvalidRecordError, InvalidSettingError) as error:
            found = f"what came back is no report: {error}"
            raise channel.error(found) from error
        report = _with_paths(report, job.paths)
        if report.environment_before.emulated or facts.emulated:
            return without_latency(report, f"{facts.architecture} CPU")
        return report

    def clean(self) -> str:
        """Nothing of condmix is left there. Raises DeviceError."""
        channel = self._lock()
        head, _ = channel.ask("clean", {"kind": "clean"})
        facts = self.probe()
        self.close()
        return f"{self._name}: removed {facts.folder}, {int(str(head['bytes'])) / _MIB:.1f} MiB"

    def close(self) -> None:
        """The connection has ended, and with it everything that ran there and all files of the session."""
        channel, self._channel = self._channel, None
        self._locked, self._engines, self._facts = False, (), None
        if channel is not None:
            channel.close()

    @contextlib.contextmanager
    def _tidied(self) -> Iterator[None]:
        """When the connection is lost, the device is asked once more, so that nothing of the session stays on it."""
        try:
            yield
        except DeviceError:
            was_lost = self._locked and self._channel is not None and self._channel.lost
            self.close()
            if was_lost:
                # It may be gone for good; then whatever is left goes when the next session begins.
                with contextlib.suppress(DeviceError):
                    self._lock()
                self.close()
            raise

    def _open(self) -> Channel:
        if self._channel is None:
            self._channel = self._connect()
        return self._channel

    def _lock(self) -> Channel:
        self.probe()
        channel = self._open()
        if not self._locked:
            channel.ask("lock", {"kind": "lock"})
            self._locked = True
        return channel

    def _bring(self, channel: Channel, packages: Sequence[Package], say: Say) -> bool:
        """All packages are unpacked there; whether some were damaged before."""
        by_hash = {one.sha256: one for one in packages}
        head, _ = channel.ask("check", {"kind": "check", "packages": list(by_hash)})
        missing = [by_hash[str(one)] for one in _list(head["missing"])]
        if _list(head["damaged"]):
            say(f"{self._name}: {len(_list(head['damaged']))} packages there were damaged and are brought again")
        self._check_room(channel, missing)
        for one in missing:
            say(f"{self._name}: bringing {one.name}, {one.size_bytes / _MIB:.1f} MiB")
            channel.put("push", f"incoming/{one.sha256}", one.path.read_bytes())
            channel.ask("unpack", {"kind": "install", "package": one.sha256, "name": f"incoming/{one.sha256}"})
        self._packages = tuple(by_hash)
        return bool(_list(head["damaged"]))

    def _check_room(self, channel: Channel, missing: Sequence[Package]) -> None:
        """Raises DeviceError before anything is brought that will not fit."""
        needed = sum(one.unpacked_bytes for one in missing) + max((one.size_bytes for one in missing), default=0)
        free = self.probe().free_bytes
        if missing and needed + _ROOM_TO_SPARE_BYTES > free:
            channel.step = "space"
            found = f"{self.probe().folder} has {free / _MIB:.0f} MiB free"
            raise DeviceError(
                self._name,
                "space",
                found,
                "Free space there, or remove what condmix keeps there with --clean.",
                expected=f"{(needed + _ROOM_TO_SPARE_BYTES) / _MIB:.0f} MiB for {len(missing)} packages",
            )

    def _forget(self, channel: Channel, packages: Sequence[Package]) -> None:
        channel.ask("unpack", {"kind": "forget", "packages": [one.sha256 for one in packages]})

    def _try(self, channel: Channel, facts: DeviceFacts, engines: Sequence[str]) -> str | None:
        """None, or why the engines do not compute there."""
        channel.put("push", "job.py", _job_source())
        head, _ = channel.ask("small inference", self._run_message(facts, ["try", *engines]))
        if head["code"] == 0:
            return None
        return " ".join(str(head["errors"]).split()) or f"the interpreter ended with exit code {head['code']}"

    def _run_message(self, facts: DeviceFacts, arguments: Sequence[str]) -> dict[str, object]:
        return {
            "kind": "run",
            "python": facts.python,
            "arguments": ["-P", "job.py", *arguments],
            "packages": list(self._packages),
            "answer": _REPORT,
        }


def _job_source() -> bytes:
    return importlib.resources.files("condmix.deploy.devices").joinpath("job.py").read_bytes()


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _with_paths(report: BenchReport, files: dict[Path, Path]) -> BenchReport:
    """The report speaks of the files that were given here."""
    return dataclasses.replace(
        report,
        subjects=tuple(
            dataclasses.replace(
                one, subject=dataclasses.replace(one.subject, file=files.get(one.subject.file, one.subject.file))
            )
            for one in report.subjects
        ),
    )
