"""Modules timed by models cut at their ends."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.runtime.audit.tflite_file import read_tflite
from condmix.runtime.latency_report import CandidateSamples, Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.profile import prefix_timing
from condmix.runtime.profile.prefix_timing import Segment, differences, lower_end, segments_of, time_segments
from condmix.runtime.profile.tflite_steps import tflite_steps
from tests.runtime.profile.nets import condconv_tflite, step

PATHS = ["stem", "blocks.0.a", "blocks.0.b", "blocks.1.a", "blocks.1.b", "head"]


def steps_of(paths: list[str | None]):
    return [step("A x > y", module=path) for path in paths]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (6, [("stem", 1), ("blocks.0.a", 2), ("blocks.0.b", 3), ("blocks.1.a", 4), ("blocks.1.b", 5), ("head", 6)]),
        (3, [("stem to blocks.0.a", 2), ("blocks.0.b to blocks.1.a", 4), ("blocks.1.b to head", 6)]),
        (2, [("stem to blocks.0", 3), ("blocks.1 to head", 6)]),
        (1, [("stem to head", 6)]),
    ],
)
def test_segments_are_as_long_paths_as_their_number_allows(most: int, expected: list[tuple[str, int]]):
    assert [(one.module, one.end) for one in segments_of(steps_of(PATHS), most)] == expected


def test_steps_without_a_module_are_a_segment_too():
    assert segments_of(steps_of([None, "a", "a"]), 9) == (Segment(module="", end=1), Segment(module="a", end=3))


def test_differences_are_taken_round_by_round_and_told_from_noise():
    rounds = 40
    noise = np.random.default_rng(0).integers(-300, 300, (3, rounds))
    drift = np.linspace(0, 50_000, rounds).astype(int)  # common to all, so it cancels
    times = [10_000 + drift + noise[0], 30_000 + drift + noise[1], 30_000 + drift + noise[2]]
    settings = LatencySettings(warmup_runs=0, minimum_runs=rounds, minimum_seconds=0, block=1, seed=0)
    report = LatencyReport(
        settings=settings,
        candidates=tuple(
            CandidateSamples(
                name=name, wall_ns=tuple(map(int, own)), cpu_ns=(0,) * rounds, warmup_wall_ns=(), warmup_cpu_ns=()
            )
            for name, own in zip(("0", "1", "2", "0 (again)"), (*times, times[0]), strict=True)
        ),
        control="0 (again)",
    )
    segments = [Segment(module=name, end=end) for end, name in enumerate("abc", start=1)]
    found = differences(report, ["0", "1", "2"], segments, Clock.WALL)
    assert [one.module for one in found] == ["a", "b", "c"]
    assert found[1].time_us == pytest.approx(20, abs=0.2)
    assert [one.below_noise for one in found] == [False, False, True]


def test_the_lower_end_leaves_room_for_chance():
    assert lower_end(np.arange(100)) == 40
    assert lower_end(np.arange(3)) == 0


def test_all_prefixes_are_timed_within_the_rounds_that_fit(monkeypatch: pytest.MonkeyPatch):
    content = condconv_tflite()
    session = LiteRtBackend().open(content, threads=1)
    names = [node.operator for node in session.nodes() if not node.is_delegate]
    graph, _ = tflite_steps(read_tflite(content), names, {})
    found, rounds = time_segments(content, graph.steps, session, threads=1, runs=9)
    assert [(one.module, one.end) for one in found] == [
        ("stem", 1),
        ("blocks.0.routing", 4),
        ("blocks.0.conv_dw", 7),
        ("act", 8),
    ]
    assert rounds == 9
    assert found[0].time_us > 0
    assert not found[0].below_noise
    monkeypatch.setattr(prefix_timing, "MOST_SECONDS", 0.0)
    assert time_segments(content, graph.steps, session, threads=1, runs=9)[1] == prefix_timing.LEAST_ROUNDS
