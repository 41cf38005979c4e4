"""The files to evaluate, each opened once and run once on nothing: what stands in the way is told of all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.given_models import SUMMARY, GivenModel, given_models
from condmix.deploy.evaluate.intake import Intake, intake_of, metadata_of
from condmix.deploy.evaluate.job import EvalFile
from condmix.deploy.evaluate.model_source import ModelSource, sha256_of
from condmix.deploy.evaluate.scores import Scorer, images_a_call, is_free
from condmix.deploy.evaluate.versions import ENGINE_PACKAGES
from condmix.deploy.measure.errors import EnginesMissingError
from condmix.deploy.measure.subject_names import file_names
from condmix.deploy.measure.together import Checks
from condmix.runtime.audit.audit import format_of
from condmix.runtime.errors import EngineMissingError, InferenceError, InvalidSettingError, one_line
from condmix.runtime.output_kind import class_output, kinds_in, kinds_text
from condmix.runtime.signature import Signature

MOST_NAMES = 5
"""Class names that a text lists."""


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """The files, the first of them the yardstick. notes: what the user should know of them."""

    files: tuple[EvalFile, ...]
    notes: tuple[str, ...]


def read_subjects(paths: Sequence[Path], against: Path | None, *, batch: int | None) -> Subjects:
    """The files at `paths`, bundles replaced by what is in them; `against`, else the first, is the yardstick.

    batch: images a call for files that leave that free, None for one.
    Raises UnreadableFileError, EnginesMissingError or PlanError; whichever it is, it lists all problems.
    """
    checks = Checks()
    with ExitStack() as stack:
        given = given_models(paths, against, stack, checks)
        names = file_names([one.shown for one in given])
        looked = [
            checks.run(partial(_look_into, one, name, batch or 1)) for one, name in zip(given, names, strict=True)
        ]
    found = [one for one in looked if one is not None]
    if batch is not None and len(found) == len(given):
        checks.run(partial(_require_free_batch, found))
    files, notes = _completed([one.file for one in found])
    checks.run(partial(_require_one_task, files))
    checks.raise_if_any()
    return Subjects(files=tuple(files), notes=tuple(notes))


@dataclass(frozen=True, kw_only=True)
class _Looked:
    file: EvalFile
    free_batch: bool


def _look_into(given: GivenModel, name: str, batch: int) -> _Looked:
    """The file as its engine opens it. Raises UnreadableFileError, EnginesMissingError."""
    shown = str(given.shown)
    try:
        format = format_of(given.readable)
        source = ModelSource(path=given.path, member=given.member, format=format, sha256=sha256_of(given.readable))
        session, scales = replace(source, path=given.readable, member=None).open()
        metadata, weights = metadata_of(given.readable, format)
        hashes = tuple((weight, sha256_of(given.readable.parent / weight)) for weight in weights)
        intake = intake_of(metadata, session.signature)
        if isinstance(intake, str):
            raise _unusable(shown, intake)
        black = np.zeros((1, *intake.input_size), np.float32)
        output = _scoring_output(metadata, session.signature, shown)
        class_count = Scorer(session, scales, batch=batch, output=output).scores(black).shape[1]
    except EngineMissingError as error:
        raise EnginesMissingError(SUMMARY, [f"{shown}: {error}"]) from error
    except InvalidSettingError as error:
        raise _unusable(shown, "; ".join(error.problems)) from error
    except (NotTheSameError, InferenceError) as error:
        raise _unusable(shown, one_line(error)) from error
    if intake.class_names is not None and len(intake.class_names) != class_count:
        raise _unusable(shown, f"it names {len(intake.class_names)} classes and gives {class_count} scores")
    file = EvalFile(
        name=name,
        shown=shown,
        source=replace(source, weights=hashes),
        engine=ENGINE_PACKAGES[format],
        size_bytes=given.readable.stat().st_size,
        intake=intake,
        batch=images_a_call(session.signature, batch),
        class_count=class_count,
        output=output,
    )
    return _Looked(file=file, free_batch=is_free(session.signature))


def _scoring_output(metadata: Mapping[str, str], signature: Signature, shown: str) -> str:
    """The output that scores classes. Raises UnreadableFileError for a file whose metadata say that none does."""
    kinds, names = kinds_in(metadata), [spec.name for spec in signature.outputs]
    found = class_output(kinds, names)
    if found is None:
        listed = kinds_text(kinds, names)
        raise _unusable(shown, f"none of its outputs scores classes, which labels could be compared with: {listed}")
    return found


def _completed(files: Sequence[EvalFile]) -> tuple[list[EvalFile], list[str]]:
    """The files; what one does not say of pictures and classes is taken from the first one of its kind that does."""
    found = []
    notes = []
    for file in files:
        intake = file.intake
        lender = next((one for one in files if _can_lend(one.intake, intake)), None)
        if not intake.says_preprocessing and lender is not None:
            notes.append(f"{file.name} says nothing of preprocessing: it gets that of {lender.name}")
            intake = replace(intake, preprocessing=lender.intake.preprocessing, says_preprocessing=True)
        if intake.class_names is None:
            same = [one for one in files if one.class_count == file.class_count]
            intake = replace(intake, class_names=next(filter(None, (one.intake.class_names for one in same)), None))
        found.append(replace(file, intake=intake))
    if any(file.intake.facts() != found[0].intake.facts() for file in found):
        notes.append("the files take pictures of different size or preprocessing: each gets its own")
    return found, notes


def _can_lend(lender: Intake, borrower: Intake) -> bool:
    return lender.says_preprocessing and lender.input_size == borrower.input_size


def _require_free_batch(found: Sequence[_Looked]) -> None:
    if not any(one.free_batch for one in found):
        problem = "--batch is about files that take any number of images a call, and there is none: leave it out"
        raise PlanError(SUMMARY, [problem])


def _require_one_task(files: Sequence[EvalFile]) -> None:
    """The scores of all files mean the same. Raises PlanError."""
    counts = {file.name: file.class_count for file in files}
    named = {file.name: names for file in files if (names := file.intake.class_names) is not None}
    problem = None
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        problem = f"they tell different numbers of classes apart ({listed})"
    elif len(set(named.values())) > 1:
        listed = "; ".join(f"{name}: {', '.join(names[:MOST_NAMES])} ..." for name, names in named.items())
        problem = f"they name different classes, or the same in another order ({listed})"
    if problem is not None:
        raise PlanError(SUMMARY, [f"{problem}: give files of one network, or of one task"])


def _unusable(shown: str, reason: str) -> UnreadableFileError:
    text = reason if shown in reason else f"{shown}: {reason}"
    return UnreadableFileError(text)
