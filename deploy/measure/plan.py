"""From files and flags to subjects that can be measured; everything that stands in the way is told at once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.measure.errors import EnginesMissingError
from condmix.deploy.measure.given_inputs import read_given_inputs
from condmix.deploy.measure.subject_names import file_names, subject_name
from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import format_of
from condmix.runtime.bench.inputs import feeds_of_images, random_feeds
from condmix.runtime.bench.reference import Reference, find_reference, read_reference
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME, TFLITE_RUNTIME, BenchSubject
from condmix.runtime.bench.tflite_runtime_worker import PYTHON, find_bench_python, start_with
from condmix.runtime.bench.worker_process import StartWorker
from condmix.runtime.errors import (
    EngineMissingError,
    InvalidRecordError,
    InvalidSettingError,
    ModelUnreadableError,
)
from condmix.runtime.external_data import external_files
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend

SUMMARY = "nothing was measured:"
TFLITE_RUNTIME_NOTE = (
    "tflite-runtime 2.14 is another engine than LiteRT: older, wrong on some dynamic-range files, and by default it "
    "computes int8 files in its own kernels, not in XNNPACK"
)


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What was asked for. shapes: input name -> shape. batches: empty for what each file fixes, or 1.

    engines: of .tflite files, each measured in all of them. site: the packages of tflite-runtime, None without it.
    reference: for all files; None: the one beside each file, if there is one. inputs: in place of any reference.
    """

    files: tuple[Path, ...]
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    delegate: bool = True
    engines: tuple[str, ...] = (LITERT,)
    site: Path | None = None
    inputs: Path | None = None
    reference: Path | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class BenchPlan:
    """What can be measured. inputs and references: by the name of a subject; one that is in neither gets random inputs.

    notes: what the user should know about the choice. site: the packages of tflite-runtime where a subject runs in it.
    """

    subjects: tuple[BenchSubject, ...]
    inputs: Mapping[str, Mapping[str, Tensor]]
    references: Mapping[str, Reference]
    notes: tuple[str, ...]
    site: Path | None = None

    @property
    def start(self) -> StartWorker:
        """What starts every subject in its engine."""
        return start_with(self.site)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the subjects, in order."""
        return tuple(subject.name for subject in self.subjects)


@dataclass(kw_only=True)
class _Problems:
    """Everything found so far, by what it means for the exit code."""

    input: list[str] = field(default_factory=list)
    engine: list[str] = field(default_factory=list)
    usage: list[str] = field(default_factory=list)

    def raise_if_any(self) -> None:
        problems = list(dict.fromkeys((*self.input, *self.engine, *self.usage)))
        if self.input:
            raise UnreadableFileError("\n".join((SUMMARY, *(f"  - {problem}" for problem in problems))))
        if self.engine:
            raise EnginesMissingError(SUMMARY, problems)
        if self.usage:
            raise PlanError(SUMMARY, problems)


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file, looked into. scales: of inputs that it stores as integers."""

    path: Path
    name: str
    engine: str
    signature: Signature
    scales: Mapping[str, tuple[float, int]]


def make_plan(request: BenchRequest) -> BenchPlan:
    """Subjects for every file, batch and number of threads, in that order; the first is the one others refer to.

    Each file was opened once, and the arrays that it will be fed fit it.

    Raises UnreadableFileError, EnginesMissingError or PlanError; whichever it is, it lists all problems.
    """
    problems = _Problems()
    files = _look_into(request.files, problems)
    _check_flags(request, files, problems)
    given = _given_inputs(request, problems)
    subjects: list[BenchSubject] = []
    inputs: dict[str, Mapping[str, Tensor]] = {}
    references: dict[str, Reference] = {}
    notes: list[str] = []
    beside = _References(request, problems)
    for file in files:
        reference = None if request.inputs is not None else beside.of(file.path)
        if reference is None and given is None and not beside.failed:
            notes.append(f"{file.path.name}: no reference beside it, so its inputs are random and nothing is verified")
        for subject in _subjects(request, file, problems):
            subjects.append(subject)
            images = given if given is not None else None if reference is None else reference.inputs
            _check_feeds(subject, file, images, request.seed, problems)
            if given is not None:
                inputs[subject.name] = given
            elif reference is not None:
                references[subject.name] = reference
    site = _tflite_runtime(request, files, problems, notes)
    problems.raise_if_any()
    return BenchPlan(subjects=tuple(subjects), inputs=inputs, references=references, notes=tuple(notes), site=site)


def _tflite_runtime(
    request: BenchRequest, files: Sequence[_File], problems: _Problems, notes: list[str]
) -> Path | None:
    """Its packages, in which a worker has computed; None where no file runs in it, or they are not there."""
    if TFLITE_RUNTIME not in request.engines or request.site is None:
        return None
    if all(file.engine == ONNXRUNTIME for file in files):
        return None  # which was told as a problem of flags
    python = find_bench_python()
    if python is None:
        problems.engine.append(f"{TFLITE_RUNTIME}: no Python {'.'.join(map(str, PYTHON))} was found, and it needs that")
        return None
    if (reason := TfliteRuntimeBackend(request.site, python=python).available()) is not None:
        problems.engine.append(f"{reason.rstrip('.')}. Or: condmix doctor --prepare {TFLITE_RUNTIME}")
        return None
    notes.append(TFLITE_RUNTIME_NOTE)
    return request.site


def _look_into(paths: Sequence[Path], problems: _Problems) -> list[_File]:
    resolved = [path.absolute() for path in paths]
    twice = dict.fromkeys(path for path, place in zip(paths, resolved, strict=True) if resolved.count(place) > 1)
    for path in twice:
        problems.usage.append(f"{path} is given twice: the first file is measured against itself anyway")
    found: list[_File] = []
    for path, name in zip(paths, file_names(paths), strict=True):
        if path in twice and any(file.path == path for file in found):
            continue
        try:
            format = format_of(path)
            signature, scales = _open(path, format)
        except ModelUnreadableError as error:
            problems.input.append(str(error))
        except EngineMissingError as error:
            problems.engine.append(str(error))
        else:
            engine = LITERT if format is Format.TFLITE else ONNXRUNTIME
            found.append(_File(path=path, name=name, engine=engine, signature=signature, scales=scales))
    return found


def _open(path: Path, format: Format) -> tuple[Signature, Mapping[str, tuple[float, int]]]:
    """In its plainest form: only what goes in and out is asked for."""
    if format is Format.TFLITE:
        session = LiteRtBackend().open(path, threads=1, delegate=False)
        return session.signature, session.end_scales()
    external_files(path)  # before the engine follows its paths
    return OnnxRuntimeBackend().open(path, threads=1, optimization=Optimization.NONE).signature, {}


def _check_flags(request: BenchRequest, files: Sequence[_File], problems: _Problems) -> None:
    if request.inputs is not None and request.reference is not None:
        problems.usage.append("--inputs and --reference exclude each other: a reference brings its own inputs")
    if not files:
        return
    if all(file.engine == ONNXRUNTIME for file in files):
        flags = ("--no-delegate", not request.delegate), ("--engine", request.engines != (LITERT,))
        problems.usage += [f"{flag} is about .tflite files, and there is none" for flag, given in flags if given]
    known = {spec.name for file in files for spec in file.signature.inputs}
    for name in request.shapes:
        if name not in known and len(files) == len(request.files):
            problems.usage.append(f"--shape {name}: no file has that input; inputs are {', '.join(sorted(known))}")


def _given_inputs(request: BenchRequest, problems: _Problems) -> Mapping[str, Tensor] | None:
    if request.inputs is None:
        return None
    try:
        return read_given_inputs(request.inputs)
    except UnreadableFileError as error:
        problems.input.append(str(error))
        return None


class _References:
    """The references of all files, each read once."""

    def __init__(self, request: BenchRequest, problems: _Problems) -> None:
        self._given = request.reference
        self._problems = problems
        self._read: dict[Path, Reference | None] = {}
        self.failed = False

    def of(self, file: Path) -> Reference | None:
        path = self._given if self._given is not None else find_reference(file)
        if path is None:
            return None
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def _load(self, path: Path) -> Reference | None:
        try:
            return read_reference(path)
        except InvalidRecordError as error:
            self.failed = True
            lines = "; ".join(error.problems)
            next_step = "Give a sound one with --reference, or --inputs."
            self._problems.input.append(f"{path}: cannot be used as a reference: {lines}. {next_step}")
            return None


def _subjects(request: BenchRequest, file: _File, problems: _Problems) -> list[BenchSubject]:
    known = {spec.name for spec in file.signature.inputs}
    found = []
    engines = (file.engine,) if file.engine == ONNXRUNTIME else request.engines
    for batch, threads, engine in itertools.product(request.batches or (None,), request.threads, engines):
        name = subject_name(
            file.name,
            threads=threads if len(request.threads) > 1 else None,
            batch=batch if len(request.batches) > 1 else None,
            engine=engine if engine == TFLITE_RUNTIME else None,
        )
        try:
            subject = BenchSubject(
                name=name,
                file=file.path,
                engine=engine,
                threads=threads,
                delegate=request.delegate or file.engine == ONNXRUNTIME,
                shapes={name: shape for name, shape in request.shapes.items() if name in known},
                batch=batch,
            )
        except InvalidSettingError as error:
            problems.usage += [f"{file.path.name}: {problem}" for problem in error.problems]
        else:
            found.append(subject)
    return found


def _check_feeds(
    subject: BenchSubject, file: _File, images: Mapping[str, Tensor] | None, seed: int, problems: _Problems
) -> None:
    """The arrays fit; they are made again for the measurement, so nothing large is kept."""
    try:
        if images is None:
            random_feeds(file.signature, seed=seed, batch=subject.batch, shapes=subject.shapes)
        else:
            feeds_of_images(
                images,
                file.signature,
                source="given",
                batch=subject.batch,
                shapes=subject.shapes,
                scales=file.scales,
            )
    except InvalidSettingError as error:
        problems.usage += [f"{file.path.name}: {problem}{_next_step(problem)}" for problem in error.problems]


def _next_step(problem: str) -> str:
    if "fixed in the file" in problem:
        return ": leave --batches out, or export it with --batch dynamic"
    return ", with --shape NAME=1x3x224x224 or --inputs FILE.npz" if problem.endswith("give one that fits") else ""
