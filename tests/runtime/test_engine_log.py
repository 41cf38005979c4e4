import os
import sys
import tempfile

import pytest

from condmix.runtime.engine_log import quiet_engine_log


def write(line: bytes) -> None:
    os.write(2, line)


def test_info_lines_vanish_and_all_others_pass(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    # As outside of pytest: Python's own errors go to the descriptor, through a buffer.
    monkeypatch.setattr(sys, "stderr", os.fdopen(2, "w", closefd=False))
    sys.stderr.write("from before\n")
    with quiet_engine_log():
        write(b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nWARNING: mind this\n")
        sys.stderr.write("from python\n")
        sys.stderr.flush()
        write(b"no newline, INFO: inside")
    assert capfd.readouterr().err == "from before\nWARNING: mind this\nfrom python\nno newline, INFO: inside"


def test_outside_everything_passes(capfd: pytest.CaptureFixture[str]):
    with quiet_engine_log():
        pass
    write(b"INFO: loud\n")
    assert capfd.readouterr().err == "INFO: loud\n"


def test_after_an_error_the_descriptor_is_back(capfd: pytest.CaptureFixture[str]):
    def fail_loudly():
        with quiet_engine_log():
            write(b"INFO: dropped\nERROR: kept\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_loudly()
    write(b"INFO: loud\n")
    assert capfd.readouterr().err == "ERROR: kept\nINFO: loud\n"


def test_without_a_place_for_the_file_nothing_is_held_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def refuse():
        raise OSError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with quiet_engine_log():
        write(b"INFO: loud\n")
    assert capfd.readouterr().err == "INFO: loud\n"
