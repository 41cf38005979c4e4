"""A profile from plain JSON: what may be missing, and the record of runtime/profile itself."""

from __future__ import annotations

from condmix.deploy.report.json_reader import JsonReader
from condmix.deploy.report.profile_record import Profile, read_profile
from condmix.runtime.profile import records
from condmix.runtime.profile.special import Row


def _read(value: object) -> tuple[Profile, list[str]]:
    reader = JsonReader(value, place="p", problems=[])
    return read_profile(reader), reader.problems


def test_what_may_be_missing() -> None:
    least = {"engine": "e", "method": "m", "runs": 1, "total_us": 2.0, "operators": [], "modules": [], "special": []}
    found, problems = _read(least)
    assert problems == []
    assert (found.peak, found.peaks, found.bandwidth, found.notes) == (None, {}, None, ())


def test_what_may_not() -> None:
    _, problems = _read({})
    assert [problem.split()[0] for problem in problems] == [
        "p.engine",
        "p.method",
        "p.runs",
        "p.total_us",
        "p.operators",
        "p.modules",
        "p.special",
    ]


def test_the_record_of_the_profiler_is_read_whole() -> None:
    rate = records.Rate(per_second=1e9, how="a product")
    record = records.Profile(
        engine="litert",
        method=records.Method.PREFIXES,
        runs=3,
        threads=1,
        total_us=100.0,
        operators=(records.OperatorTime(operator="CONV_2D", nodes=2, time_us=None, multiply_adds=10),),
        modules=(
            records.ModuleTime(
                module="stem",
                time_us=None,
                multiply_adds=10,
                size_bytes=20,
                bound=records.Bound.MEMORY,
                kind="convolution",
            ),
        ),
        special={Row.ROUTING: 5.0},
        delegate_coverage=None,
        peak=rate,
        roof=records.Roof(float_multiply_adds=rate, int8_multiply_adds=None, bandwidth=rate),
        notes=("a note",),
    )
    found, problems = _read(record.to_dict())
    assert problems == []
    assert found.modules[0].time_us is None
    assert (found.modules[0].bytes, found.modules[0].bound) == (20.0, "memory")
    assert found.special == (("routing", 5.0),)
    assert (found.peaks, found.bandwidth) == ({"float32": (1e9, "a product")}, (1e9, "a product"))
