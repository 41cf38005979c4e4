"""Colours and movement are for a person at a terminal; everyone else gets plain lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from condmix.deploy.terminal import (
    SECONDS_BETWEEN_COUNTS,
    StageLines,
    console,
    epoch_progress,
    is_plain,
    print_summary,
    stage_progress,
)
from condmix.models.epochs import TrainingProgress

ESCAPE = "\x1b"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal that can do everything, in an environment that asks for nothing."""
    for name in ("NO_COLOR", "CI", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


@contextmanager
def _at(terminal: Terminal) -> Iterator[None]:
    with redirect_stdout(terminal), redirect_stderr(terminal):
        yield


def _run_stages() -> None:
    with stage_progress(quiet=False) as report_progress:
        report_progress("load")
        report_progress("capture")


def test_at_a_terminal_there_are_colours_and_a_spinner(terminal: Terminal) -> None:
    with _at(terminal):
        _run_stages()
        print_summary("parity [ok] fine")
    assert ESCAPE in terminal.getvalue()
    assert "\x1b[32m[ok]" in terminal.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb")])
def test_at_a_terminal_that_wants_none_there_are_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with _at(terminal):
        _run_stages()
        print_summary("parity [ok] fine [failed]")
    assert terminal.getvalue() == "condmix: load\ncondmix: capture\nparity [ok] fine [failed]\n"


def test_an_empty_no_color_means_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert not is_plain(terminal)


def test_a_pipe_gets_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    _run_stages()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "condmix: load\ncondmix: capture\n")


def test_a_log_hears_of_a_count_now_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, SECONDS_BETWEEN_COUNTS + 1, SECONDS_BETWEEN_COUNTS + 1, 12.0])
    lines = StageLines(now=lambda: next(clock))
    for stage in ("calibrate (1 of 3)", "calibrate (2 of 3)", "calibrate (3 of 3)", "write"):
        lines.say(stage)
    assert capsys.readouterr().err == "condmix: calibrate (1 of 3)\ncondmix: calibrate (3 of 3)\ncondmix: write\n"


def test_a_pipe_gets_no_colours_even_if_forced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_summary("[ok]")
    assert capsys.readouterr().out == "[ok]\n"


def test_long_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    line = "word " * 100
    print_summary(line)
    assert capsys.readouterr().out == f"{line}\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with stage_progress(quiet=True) as report_progress:
        report_progress("load")
    with epoch_progress("net", quiet=True) as report_epoch:
        report_epoch(TrainingProgress(epoch=1, epochs=2, loss=0.5, seconds=1.0))
    assert capsys.readouterr() == ("", "")


def test_epochs_are_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with epoch_progress("net", quiet=False) as report_epoch:
        report_epoch(TrainingProgress(epoch=1, epochs=2, loss=0.5, seconds=1.0))
    assert capsys.readouterr().err == "condmix: net epoch 1/2 loss 0.500 after 1 s\n"


def test_epochs_are_a_bar_at_a_terminal(terminal: Terminal) -> None:
    with _at(terminal), epoch_progress("net", quiet=False) as report_epoch:
        report_epoch(TrainingProgress(epoch=1, epochs=2, loss=0.5, seconds=1.0))
    assert "loss 0.500" in terminal.getvalue()
    assert "1/2" in terminal.getvalue()


def test_a_table_in_a_pipe_is_wide() -> None:
    assert console(io.StringIO()).width == 200
