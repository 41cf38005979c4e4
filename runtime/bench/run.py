"""A bench: every subject in processes of its own, in shuffled rounds, until all have had enough."""

from __future__ import annotations

import datetime
import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.identity import identify
from condmix.runtime.bench.inputs import Inputs
from condmix.runtime.bench.judge import judge
from condmix.runtime.bench.read_environment import read_environment
from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.running import RunningSubject
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.bench.withheld import without_latency
from condmix.runtime.bench.worker_process import StartWorker, start_worker
from condmix.runtime.errors import InvalidSettingError

CONTROL_SUFFIX = " (again)"
TIMEOUT_SECONDS = 600.0
NOTHING: Mapping[str, Mapping[str, np.ndarray]] = MappingProxyType({})
_NOT_JUDGED = Verdict(findings=(Finding(verdict=Judgement.TOO_SHORT, reason="it was not judged yet"),))


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a measurement is. part: done of all, 0 to 1, where minima are counted; a slow subject rules."""

    stage: str
    part: float

    def sentence(self) -> str:
        """For a terminal."""
        return f"{self.stage} ({self.part:.0%})"


def _silent(_progress: Progress) -> None:
    """Nobody wants to know."""


def run_bench(
    subjects: Sequence[BenchSubject],
    settings: BenchSettings,
    *,
    inputs: Inputs = NOTHING,
    references: Mapping[str, Reference] | None = None,
    report_progress: Callable[[Progress], None] = _silent,
    command: Sequence[str] = (),
    condmix_version: str | None = None,
    start: StartWorker = start_worker,
    root: Path = Path("/"),
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> BenchReport:
    """Every run of every subject is on record, with what may be said about them.

    The first subject is measured a second time as '<name> (again)'. A subject that is lost (killed, refused by its
    engine, silent for `timeout_seconds`) has its `failure`, and the others go on. Ctrl-C ends the measurement and not
    the caller: the report then says so in `interrupted`, and at most the turn that was running is not in it.
    On an emulated CPU everything runs, and no time is on record.

    inputs: subject name -> input name -> [N, ...]; timed instead of the reference's, which are then only compared.
    references: subject name -> reference. condmix_version: of the installed package, unless given.
    start: what makes a worker. root: where the machine is read from.

    Raises InvalidSettingError without subjects, for a name twice or one that is not there, ModelUnreadableError.
    """
    control = _check(subjects, {**inputs, **(references or {})})
    everyone = [*subjects, replace(subjects[0], name=control)]
    identities = identify(everyone)
    version = _condmix_version() if condmix_version is None else condmix_version
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    source = {one.name: subjects[0].name if one.name == control else one.name for one in everyone}
    running = [
        RunningSubject(
            subject=one,
            identity=identities[one.name],
            settings=settings,
            start=start,
            given=inputs.get(source[one.name]),
            reference=(references or {}).get(source[one.name]),
            timeout_seconds=timeout_seconds,
        )
        for one in everyone
    ]
    measured = _measure(running, settings, report_progress, root)
    report = BenchReport(
        condmix_version=version,
        created=created,
        command=tuple(command),
        settings=settings,
        subjects=tuple(one.record() for one in running),
        control=control,
        environment_before=measured.before,
        environment_after=measured.after,
        rounds=measured.rounds,
        interrupted=measured.interrupted,
        verdict=_NOT_JUDGED,
    )
    if report.environment_before.emulated:
        return without_latency(report, f"{report.environment_before.cpu.architecture} CPU")
    return replace(report, verdict=judge(report))


@dataclass(kw_only=True)
class _Measured:
    before: Environment
    after: Environment
    rounds: int = 0
    interrupted: str | None = None


def _measure(
    running: Sequence[RunningSubject], settings: BenchSettings, report_progress: Callable[[Progress], None], root: Path
) -> _Measured:
    """All processes are started, asked in rounds, and ended whatever happens."""
    now = read_environment(root)
    measured = _Measured(before=now, after=now)
    try:
        _open_all(running, settings, report_progress)
        # Read when all is warm: what follows is the measurement alone, and a governor has made up its mind.
        measured.before = read_environment(root)
        _rounds(running, settings, report_progress, measured)
        measured.after = read_environment(root)
        for one in running:
            if one.failure is None:
                one.finish()
    except KeyboardInterrupt:
        measured.after = read_environment(root)
        runs = ", ".join(f"{one.name!r} {one.runs}" for one in running)
        measured.interrupted = f"interrupted by Ctrl-C after {measured.rounds} complete rounds, runs: {runs}"
    finally:
        for one in running:
            one.close()
    return measured


def _open_all(
    running: Sequence[RunningSubject], settings: BenchSettings, report_progress: Callable[[Progress], None]
) -> None:
    total, done = settings.openings * len(running), 0
    for number in range(settings.openings):
        for one in running:
            report_progress(
                Progress(stage=f"opening {one.name}, {number + 1} of {settings.openings}", part=done / total)
            )
            if one.failure is None:
                one.open()
            done += 1


def _rounds(
    running: Sequence[RunningSubject],
    settings: BenchSettings,
    report_progress: Callable[[Progress], None],
    measured: _Measured,
) -> None:
    generator = np.random.default_rng(settings.seed)
    origin_ns = time.perf_counter_ns()
    while any(one.progress() < 1 for one in running):
        seconds = (time.perf_counter_ns() - origin_ns) / 1e9
        if settings.maximum_seconds is not None and seconds >= settings.maximum_seconds:
            return
        report_progress(
            Progress(stage=f"measuring, round {measured.rounds + 1}", part=min(one.progress() for one in running))
        )
        for place in generator.permutation(len(running)):
            if running[place].failure is None:
                running[place].turn(measured.rounds, origin_ns=origin_ns)
        measured.rounds += 1


def _check(subjects: Sequence[BenchSubject], named: Mapping[str, object]) -> str:
    """The name of the control."""
    if not subjects:
        raise InvalidSettingError(["subjects is empty: nothing to measure"], record="bench")
    names = [one.name for one in subjects]
    control = names[0] + CONTROL_SUFFIX
    problems = [f"the name {name!r} is there twice" for name in sorted({one for one in names if names.count(one) > 1})]
    if control in names:
        problems.append(f"the name {control!r} is kept for the control of {names[0]!r}: rename the subject")
    problems += [
        f"inputs or references are given for {name!r}, but there is no such subject"
        for name in named
        if name not in names
    ]
    if problems:
        raise InvalidSettingError(problems, record="bench")
    return control


def _condmix_version() -> str:
    try:
        return importlib.metadata.version("condmix")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
