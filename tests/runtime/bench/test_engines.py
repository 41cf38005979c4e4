"""What is timed is the engine's own opening, of a file that has been looked through before."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from condmix.runtime import litert_session
from condmix.runtime.bench.engines import open_subject
from condmix.runtime.bench.subject import LITERT
from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.litert_session import LiteRtBackend
from tests.runtime.tflite_files import DenseNet

SLOW_NS = 2_000_000_000  # a thousand times what the engine takes for so small a file


def head_of(path: Path) -> dict[str, Any]:
    return {"file": str(path), "engine": LITERT, "threads": 1, "delegate": True}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(DenseNet().to_tflite())
    return path


def slow(step: Any, clock: list[int]) -> Any:
    """The step, during which the clock goes on by SLOW_NS."""

    def done(*arguments: Any, **settings: Any) -> Any:
        clock[0] += SLOW_NS
        return step(*arguments, **settings)

    return done


def test_the_look_through_the_file_is_not_in_the_time_of_opening(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behind, real = [0], time.perf_counter_ns
    monkeypatch.setattr(time, "perf_counter_ns", lambda: real() + behind[0])
    monkeypatch.setattr(litert_session, "structure_problem", slow(litert_session.structure_problem, behind))
    load_ns = open_subject(head_of(file)).load_ns
    assert behind == [SLOW_NS], "the file was looked through, once"
    assert 0 < load_ns < SLOW_NS


def test_what_the_engine_does_is_in_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behind, real = [0], time.perf_counter_ns
    monkeypatch.setattr(time, "perf_counter_ns", lambda: real() + behind[0])
    monkeypatch.setattr(LiteRtBackend, "open_checked", slow(LiteRtBackend.open_checked, behind))
    assert open_subject(head_of(file)).load_ns > SLOW_NS


def test_a_damaged_file_never_reaches_the_engine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(file.read_bytes()[:-200])
    opened: list[object] = []
    monkeypatch.setattr(LiteRtBackend, "open_checked", lambda *_, **__: opened.append(None))
    with pytest.raises(ModelUnreadableError, match=r"it is damaged: .* Copy or export it again"):
        open_subject(head_of(file))
    assert not opened
