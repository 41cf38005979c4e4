"""One evaluation from what was asked for to its report; everything that stands in the way is told before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from condmix.deploy.errors import ImagesError, PlanError, UnreadableFileError
from condmix.deploy.evaluate.errors import ShardsFailedError, WorkersFailedError
from condmix.deploy.evaluate.file_result import file_result
from condmix.deploy.evaluate.job import EvalFile, EvalJob, FailureKind
from condmix.deploy.evaluate.labelled_set import LabelledSet, open_labelled_set
from condmix.deploy.evaluate.ranges import cut, range_length
from condmix.deploy.evaluate.report import EvalReport, RunFacts
from condmix.deploy.evaluate.run import Lost, Run
from condmix.deploy.evaluate.scheduler import Scheduler
from condmix.deploy.evaluate.state_folder import StateFolder
from condmix.deploy.evaluate.subjects import Subjects, read_subjects
from condmix.deploy.evaluate.versions import ALWAYS, ENGINE_PACKAGES, installed_versions
from condmix.deploy.evaluate.write import check_room
from condmix.deploy.measure.together import Checks

USUAL_TOP = (1, 5)
STATE = "shards"


@dataclass(frozen=True, kw_only=True)
class EvalRequest:
    """What was asked for. top: None for the usual ones. state: None for a folder in the output."""

    files: tuple[Path, ...]
    labelled: Path
    output: Path
    scheduler: Scheduler
    against: Path | None = None
    top: tuple[int, ...] | None = None
    batch: int | None = None
    shard_images: int = 64
    state: Path | None = None
    resume: bool = False
    overwrite: bool = False
    command_line: tuple[str, ...] = ()

    @property
    def state_folder(self) -> Path:
        """Where finished shards lie."""
        return self.output / STATE if self.state is None else self.state


@dataclass(frozen=True, kw_only=True)
class EvalPlan:
    """What can be evaluated: checked, and nothing measured or written yet."""

    request: EvalRequest
    subjects: Subjects
    labelled: LabelledSet
    top: tuple[int, ...]
    job: EvalJob


def make_plan(request: EvalRequest, report_progress: Callable[[str], None]) -> EvalPlan:
    """The plan. Raises PlanError, UnreadableFileError, EnginesMissingError or OutputError with all that is wrong."""
    checks = Checks()
    checks.run(partial(check_room, request.output, overwrite=request.overwrite))
    checks.run(partial(_check_state, request))
    checks.run(request.scheduler.require_packages)
    subjects = checks.run(partial(read_subjects, request.files, request.against, batch=request.batch))
    labelled = top = None
    if subjects is not None:
        top = checks.run(partial(_top, request.top, subjects.files[0].class_count))
        labelled = checks.run(partial(_labelled, request.labelled, subjects, report_progress))
    elif not request.labelled.exists():
        checks.run(partial(_labelled_is_absent, request.labelled))
    checks.raise_if_any()
    assert subjects is not None
    assert labelled is not None
    assert top is not None
    return EvalPlan(
        request=request, subjects=subjects, labelled=labelled, top=top, job=_job_of(subjects.files, labelled)
    )


class Evaluation:
    """A plan being carried out. `run` tells how far it is, however `report` ended."""

    def __init__(self, plan: EvalPlan) -> None:
        self._plan = plan
        self._length = range_length(plan.request.shard_images, plan.job.files)
        self._state = StateFolder(plan.request.state_folder)
        self.run = Run(plan.job, cut(plan.labelled.images, self._length), self._state)

    def report(self, report_progress: Callable[[str], None]) -> EvalReport:
        """Every shard was measured, or taken from an earlier run. Raises ShardsFailedError, WorkersFailedError."""
        begin = time.monotonic()
        request = self._plan.request
        self._state.make()
        tasks = self.run.tasks(resume=request.resume)
        words = "nothing was left to measure"
        if tasks:
            report_progress(f"start {request.scheduler.name}")
            with request.scheduler.executor(self._plan.job, ranges=len(tasks)) as executor:
                words = executor.words
                lost = self.run.measure(tasks, executor, report_progress)
            self._raise_if_lost(lost)
        return self._assembled(words, time.monotonic() - begin)

    def finish(self) -> None:
        """Shards in the output are gone, since the report holds their sum; in a folder of the user's own they stay."""
        if self._plan.request.state is None:
            self._state.clear()

    def _assembled(self, words: str, seconds: float) -> EvalReport:
        plan, progress = self._plan, self.run.progress
        rows = self.run.rows()
        labels = [image.label for image in plan.labelled.images]
        return EvalReport(
            source=plan.request.labelled.name or str(plan.request.labelled),
            images_kind=plan.labelled.kind,
            images=plan.labelled.images,
            images_sha256=plan.labelled.sha256,
            files=plan.job.files,
            results=tuple(
                file_result(rows[place], labels, rows[0] if place else None, plan.top)
                for place in range(len(plan.job.files))
            ),
            rows=rows,
            run=RunFacts(
                scheduler=words,
                shards=progress.total,
                shard_images=self._length,
                reused=progress.reused,
                damaged=progress.damaged,
                seconds=seconds,
                machines=tuple(sorted(progress.machines)),
                versions=plan.job.versions,
                command_line=plan.request.command_line,
            ),
            notes=(*plan.subjects.notes, *_machine_notes(progress.machines)),
        )

    def _raise_if_lost(self, lost: tuple[Lost, ...]) -> None:
        if not lost:
            return
        scheduler, files = self._plan.request.scheduler, self._plan.job.files
        problems = [
            f"{', '.join(files[place].name for place in one.failure.files)}, {one.task.words}: {one.failure.reason}"
            for one in lost
        ]
        next_step = f"Mend that and add --resume: finished shards lie in {self._plan.request.state_folder}."
        kinds = {one.failure.kind for one in lost}
        if FailureKind.WORKER in kinds:
            raise WorkersFailedError(scheduler.name, problems, next_step)
        if scheduler.is_remote and FailureKind.IMAGES in kinds:
            next_step = f"Workers read files by the same path as here. {next_step}"
        count = sum(len(one.failure.files) for one in lost)
        raise ShardsFailedError(problems, failed=count, total=self.run.progress.total, next_step=next_step)


def _job_of(files: tuple[EvalFile, ...], labelled: LabelledSet) -> EvalJob:
    engines = {ENGINE_PACKAGES[file.source.format] for file in files}
    return EvalJob(
        files=files,
        yardstick=0,
        images_kind=labelled.kind,
        images_path=labelled.path,
        versions=installed_versions((*ALWAYS, *sorted(engines))),
    )


def _check_state(request: EvalRequest) -> None:
    """Shards of an earlier run are not taken or thrown away without being asked for."""
    folder = request.state_folder
    if folder.exists() and not folder.is_dir():
        summary = "the shards cannot be kept:"
        raise PlanError(summary, [f"{folder} is a file: choose a folder with --state"])
    count = StateFolder(folder).count()
    if count and not request.resume and not request.overwrite:
        summary = "an earlier run was interrupted here, or is running:"
        advice = "add --resume to take those that still fit, or --overwrite to measure everything again"
        raise PlanError(summary, [f"{count} finished shards lie in {folder}: {advice}"])


def _top(asked: tuple[int, ...] | None, class_count: int) -> tuple[int, ...]:
    if asked is None:
        return tuple(k for k in USUAL_TOP if k < class_count)
    if wrong := [k for k in asked if k >= class_count]:
        summary = "these figures would say nothing:"
        raise PlanError(summary, [f"--top {k}: the files tell {class_count} classes apart" for k in wrong])
    return tuple(sorted(asked))


def _labelled(path: Path, subjects: Subjects, report_progress: Callable[[str], None]) -> LabelledSet:
    """As `open_labelled_set`; what is wrong is told beside what is wrong with the rest."""
    intakes = [file.intake for file in subjects.files]
    try:
        return open_labelled_set(path, intakes, subjects.files[0].class_count, report_progress)
    except ImagesError as error:
        raise UnreadableFileError(str(error)) from error


def _labelled_is_absent(path: Path) -> None:
    message = f"{path}: there is no such file or folder of labelled images"
    raise UnreadableFileError(message)


def _machine_notes(machines: set[str]) -> tuple[str, ...]:
    if len(machines) < 2:
        return ()
    listed = "; ".join(sorted(machines))
    return (f"measured on {len(machines)} kinds of CPU, whose engines may round differently: {listed}",)
