"""The profile of LiteRT, asked of a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.profile import litert_events
from condmix.runtime.profile.litert_events import (
    NoEngineProfileError,
    check_fine_enough,
    engine_events,
    faster_half_mean,
    read_events,
)
from tests.runtime.profile.nets import condconv_tflite

IMAGE = np.random.default_rng(1).random((1, 8, 8, 16), dtype=np.float32)
EVENTS = [
    ("LiteRT::Run[buffer registration]", 1, 0),
    ("Invoke", 1, 0),
    ("Convolution (NHWC, F32) IGEMM", 8, 0),
    ("Sigmoid (NC)", 8, 1),
    ("Sigmoid (NC)", 8, 0),
    ("DEPTHWISE_CONV_2D", 2, 6),
    ("Add (ND)", 8, 0),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "net.tflite"
    place.write_bytes(condconv_tflite())
    return place


def test_events_fall_into_operators_and_partitions():
    found = read_events(EVENTS, np.array([[0.0, 100, 10, 20, 30, 40, 50]]))
    assert found.total_us == 100
    assert [(one.name, one.place, one.time_us) for one in found.operators] == [("DEPTHWISE_CONV_2D", 6, 40)]
    # Places that start again tell two partitions apart, and so does an operator between.
    assert [[one.time_us for one in part] for part in found.partitions] == [[10, 20], [30], [50]]
    assert found.count == 5


def test_times_that_make_up_less_than_half_of_a_call_are_refused():
    found = read_events(EVENTS, np.array([[0.0, 100, 10, 10, 10, 0, 18]]))
    assert found.operators_us == 48
    check_fine_enough(found, 96.0)
    expected = "most operators are too short for the whole microseconds it tells: they sum up to 48 us of 97"
    with pytest.raises(NoEngineProfileError, match=expected):
        check_fine_enough(found, 97.0)


def test_a_profile_without_the_whole_call_is_none():
    with pytest.raises(NoEngineProfileError, match="how long the whole call took"):
        read_events(EVENTS[2:], np.zeros((1, 5)))


def test_the_faster_half_of_the_calls_counts():
    assert faster_half_mean(np.array([[4.0, 1], [900, 2], [6, 700], [500, 3]])).tolist() == [5.0, 1.5]
    assert faster_half_mean(np.array([[4.0]])).tolist() == [4.0]


def test_the_engine_tells_the_time_of_every_operator(path: Path):
    found = engine_events(path, [IMAGE], threads=1, runs=3)
    # The delegate refuses the convolution with a computed kernel, and so has a part on either side.
    assert [one.name for one in found.operators] == ["DEPTHWISE_CONV_2D"]
    assert [one.place for one in found.operators] == [6]
    assert len(found.partitions) == 2
    assert found.partitions[0][0].name.startswith(("Convolution", "Fully Connected"))
    assert found.total_us > 0


def test_the_library_that_refuses_is_quoted(path: Path):
    with pytest.raises(NoEngineProfileError, match="an input takes 4096 bytes, 8 were given"):
        engine_events(path, [np.zeros(2, np.float32)], threads=1, runs=1)


def test_a_process_that_dies_ends_nothing_but_itself(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(litert_events, "MODULE", "no_such_module_at_all")
    with pytest.raises(NoEngineProfileError, match=r"ended with 1: .*No module named no_such_module_at_all"):
        engine_events(path, [IMAGE], threads=1, runs=1)
    monkeypatch.setattr(litert_events, "MODULE", "this")
    with pytest.raises(NoEngineProfileError, match="wrote no answer"):
        engine_events(path, [IMAGE], threads=1, runs=1)


def test_a_process_that_hangs_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(litert_events, "SECONDS_TO_ANSWER", 0.01)
    with pytest.raises(NoEngineProfileError, match=r"did not answer within 0\.01 s"):
        engine_events(path, [IMAGE], threads=1, runs=1)


def test_a_python_that_does_not_start_is_named(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(NoEngineProfileError, match="no process could be started"):
        engine_events(path, [IMAGE], threads=1, runs=1)
