"""Nothing is heard within, everything before and after."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest

from condmix.exporters.quiet_torch import quiet_torch


def say(word: str) -> None:
    sys.stdout.write(f"printed {word}\n")
    sys.stderr.write(f"complained {word}\n")
    logging.getLogger("torch.of.the.test").critical("logged %s", word)
    warnings.warn(f"warned {word}", UserWarning, stacklevel=1)


def test_nothing_is_heard_within(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        say("before")
        with quiet_torch():
            say("within")
        say("after")
    heard = capsys.readouterr()
    assert heard.out.split("\n") == ["printed before", "printed after", ""]
    assert [line for line in heard.err.split("\n") if "complained" in line] == ["complained before", "complained after"]
    assert caplog.messages == ["logged before", "logged after"]
    assert [str(one.message) for one in warned] == ["warned before", "warned after"]


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
def test_an_error_leaves_everything_as_it_was(level: int) -> None:
    own = logging.root.manager.disable
    logging.disable(level)
    try:
        outs, filters = (sys.stdout, sys.stderr), list(warnings.filters)
        with pytest.raises(ZeroDivisionError), quiet_torch():
            _ = 1 / 0
        assert (sys.stdout, sys.stderr) == outs
        assert list(warnings.filters) == filters
        assert logging.root.manager.disable == level
    finally:
        logging.disable(own)
