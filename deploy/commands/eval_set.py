"""condmix eval, of what is not scored by one class an image: sets with boxes, and with several labels an image."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from condmix.deploy.detect.location import make_folder
from condmix.deploy.errors import PlanError
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.json_text import to_json
from condmix.deploy.terminal import console, stage_progress

ONLY_OF_CLASSES = ("top", "batch", "shard_size", "scheduler", "workers", "state", "resume")
JSON_FILE, PAGE = "evaluation.json", "evaluation.md"


class SetReport(Protocol):
    """What an evaluation of either kind gives."""

    def rows(self) -> list[list[str]]:
        """A table, a row each file."""

    def sentences(self) -> list[str]:
        """What stands below it."""

    def to_dict(self) -> dict[str, object]:
        """For evaluation.json."""

    def to_markdown(self) -> str:
        """For evaluation.md."""


Evaluate = Callable[[Sequence[Path], Path, Callable[[str], None]], SetReport]


@dataclass(frozen=True, kw_only=True)
class SetKind:
    """holds: what an image of the set has. texts: the leading columns that are words.

    load: gives the evaluation and the names of its columns; what they need is imported only then.
    """

    holds: str
    texts: int
    load: Callable[[], tuple[Evaluate, tuple[str, ...]]]


def _load_boxes() -> tuple[Evaluate, tuple[str, ...]]:
    from condmix.deploy.detect.evaluation import COLUMNS, evaluate_detectors

    return evaluate_detectors, COLUMNS


def _load_labels() -> tuple[Evaluate, tuple[str, ...]]:
    from condmix.deploy.evaluate.label_report import COLUMNS, evaluate_labels

    return evaluate_labels, COLUMNS


BOXES = SetKind(holds="boxes", texts=2, load=_load_boxes)
LABELS = SetKind(holds="labels", texts=1, load=_load_labels)


def evaluate_set(
    kind: SetKind,
    files: tuple[Path, ...],
    labelled: Path,
    against: Path | None,
    output: Path,
    typed: Collection[str],
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """The report lies in `output` and is told. Raises PlanError, and what the evaluation raises."""
    idle = [f"--{name.replace('_', '-')}" for name in ONLY_OF_CLASSES if name in typed]
    if idle:
        summary = "these flags are about sets with one class an image:"
        raise PlanError(summary, [f"{flag}: leave it out, {labelled} holds {kind.holds}" for flag in idle])
    from condmix.deploy.atomic import pending_files, require_room

    targets = (output / JSON_FILE, output / PAGE)
    make_folder(output)
    require_room(targets, overwrite=overwrite)
    with stage_progress(quiet=quiet) as report_progress:
        report_progress("start")
        evaluate, columns = kind.load()
        paths = files if against is None else (against, *(path for path in files if path != against))
        report = evaluate(paths, labelled, report_progress)
        contents = (to_json(report.to_dict()), report.to_markdown())
        with pending_files(overwrite=overwrite) as pending:
            for path, content in zip(targets, contents, strict=True):
                pending.write(path, content.encode())
            pending.commit()
    if as_json:
        click.echo(contents[0], nl=False)
        return ExitCode.OK
    from condmix.deploy.tables import plain_table

    console(sys.stdout).print(plain_table(columns, report.rows(), right=columns[kind.texts :]))
    for sentence in report.sentences():
        click.echo(sentence)
    click.echo(f"report: {targets[1]}")
    return ExitCode.OK
