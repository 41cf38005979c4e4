"""Who is reading: a person at a terminal, who gets colours and a spinner, or a pipe, a log, a machine."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

    from condmix.models.epochs import TrainingProgress

PIPE_WIDTH = 200
"""Columns of a table in a pipe or log, where nothing says how wide it may be."""
SECONDS_BETWEEN_COUNTS = 10.0
"""A log hears of the same stage with another number in it no more often than this."""
_NUMBER = re.compile(r"\d+")


def is_plain(stream: TextIO) -> bool:
    """No colours and nothing that moves: not a terminal, a dumb one, NO_COLOR (whatever its value), or CI."""
    return (
        not stream.isatty()
        or bool(os.environ.get("NO_COLOR"))
        or bool(os.environ.get("CI"))
        or os.environ.get("TERM") == "dumb"
    )


def console(stream: TextIO) -> Console:
    """A rich console on the stream: with colours for a person, without any escape sequence otherwise."""
    from rich.console import Console

    if not is_plain(stream):
        return Console(file=stream, highlight=False)
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, highlight=False, color_system=None, force_terminal=False, width=width)


def print_summary(text: str) -> None:
    """The text is on stdout, its verdicts coloured for a person."""
    from rich.text import Text

    coloured = Text(text)
    coloured.highlight_words(["[ok]"], "green")
    coloured.highlight_words(["[failed]"], "bold red")
    coloured.highlight_words([" warning "], "yellow")
    console(sys.stdout).print(coloured, soft_wrap=True)


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows the stage it is given on stderr: moving at a terminal, else one line a stage."""
    if quiet:
        yield _say_nothing
    elif is_plain(sys.stderr):
        yield StageLines().say
    else:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
            task = progress.add_task("start", total=None)
            yield lambda stage: progress.update(task, description=stage)


@contextmanager
def epoch_progress(title: str, *, quiet: bool) -> Iterator[Callable[[TrainingProgress], None]]:
    """A function that shows each finished epoch on stderr: a bar at a terminal, else one line an epoch."""
    if quiet:
        yield lambda _progress: None
    elif is_plain(sys.stderr):
        yield lambda progress: click.echo(_epoch_line(title, progress), err=True)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
            task = bar.add_task(title, total=None)
            yield lambda progress: bar.update(
                task,
                total=progress.epochs,
                completed=progress.epoch,
                description=f"{title}  loss {progress.loss:.3f}",
            )


def _say_nothing(_stage: str) -> None:
    return


class StageLines:
    """One line on stderr for each stage; of a stage that counts, the first and then one now and again."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stage: str | None = None
        self._said_at = 0.0

    def say(self, stage: str) -> None:
        """The stage is on stderr, unless it is the last one with other numbers, said less than 10 s ago."""
        without_numbers = _NUMBER.sub("", stage)
        if without_numbers == self._stage and self._now() - self._said_at < SECONDS_BETWEEN_COUNTS:
            return
        self._stage, self._said_at = without_numbers, self._now()
        click.echo(f"condmix: {stage}", err=True)


def _epoch_line(title: str, progress: TrainingProgress) -> str:
    epoch = f"epoch {progress.epoch}/{progress.epochs}"
    return f"condmix: {title} {epoch} loss {progress.loss:.3f} after {progress.seconds:.0f} s"
