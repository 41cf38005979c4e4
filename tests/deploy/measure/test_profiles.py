"""The profile of every subject, or why it has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.measure import profiles
from condmix.deploy.measure.profiles import MOST_MODULES, Profiles, module_rows, special_line
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import SessionFailedError
from condmix.runtime.profile.records import Method, ModuleTime, OperatorTime, Profile, Rate, Roof
from condmix.runtime.profile.special import Row
from tests.runtime.bench.reports import make_report

RATE = Rate(per_second=1e9, how="measured")
ROOF = Roof(float_multiply_adds=RATE, int8_multiply_adds=None, bandwidth=RATE)


def _profile(modules: int = 2) -> Profile:
    times = [10.0 * (place + 1) for place in range(modules)]
    return Profile(
        engine="onnxruntime",
        method=Method.ENGINE,
        runs=30,
        threads=1,
        total_us=sum(times),
        operators=(OperatorTime(operator="Conv", nodes=1, time_us=sum(times), multiply_adds=1),),
        modules=tuple(
            ModuleTime(
                module=f"blocks.{place}" if place else "",
                time_us=time_us,
                multiply_adds=1,
                size_bytes=1,
                bound=None,
                kind="CondConv",
            )
            for place, time_us in enumerate(times)
        ),
        special={row: (sum(times) / 4 if place == 0 else 0.0) for place, row in enumerate(Row)},
        delegate_coverage=None,
        peak=RATE,
        roof=ROOF,
        notes=(),
    )


@pytest.fixture
def profiled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Nothing is profiled; each call is on record, and files named broken fail."""
    calls: list[dict[str, object]] = []

    def fake(path: Path, **arguments: object) -> Profile:
        calls.append({"path": path, **arguments})
        if path.stem == "broken":
            engine, place, reason = "onnxruntime", "'broken.onnx'", "out of\nrange"
            raise SessionFailedError(engine, place, reason)
        return _profile()

    monkeypatch.setattr(profiles, "profile_file", fake)
    monkeypatch.setattr(profiles, "measure_roof", lambda _engine, _threads: ROOF)
    return calls


def _with_subjects(**subjects: BenchSubject) -> BenchReport:
    report = make_report()
    changed = [
        dataclasses.replace(record, subject=dataclasses.replace(subjects[record.name], name=record.name))
        if record.name in subjects
        else record
        for record in report.subjects
    ]
    return dataclasses.replace(report, subjects=tuple(changed))


def test_every_subject_but_the_control_has_one(profiled: list[dict[str, object]]) -> None:
    said: list[str] = []
    made = Profiles(said.append)
    section = made.make(make_report())
    assert list(section) == ["a", "half"]
    assert said == ["profile a", "profile half"]
    assert profiled[0]["shapes"] == {"image": (1, 3, 8, 8)}
    assert made.notes == []


def test_what_has_none_is_named(profiled: list[dict[str, object]]) -> None:
    report = _with_subjects(
        a=BenchSubject(name="a", file=Path("broken.onnx"), engine="onnxruntime"),
        half=BenchSubject(name="half", file=Path("net.tflite"), engine="litert", delegate=False),
    )
    made = Profiles(lambda _: None)
    assert made.make(report) == {}
    assert made.notes == [
        "a: not profiled: onnxruntime failed while running 'broken.onnx': out of range",
        "half: not profiled: a profile is taken with the delegate",
    ]
    assert len(profiled) == 1


def test_the_longest_modules_and_the_rest() -> None:
    rows = module_rows(_profile(MOST_MODULES + 3))
    assert rows[0][:2] == (f"blocks.{MOST_MODULES + 2}", "CondConv")
    assert len(rows) == MOST_MODULES + 1
    assert rows[-1][0] == "3 more"
    assert module_rows(_profile(1))[0][0] == "no module known"
    assert special_line(_profile()) == f"{next(iter(Row))} 25.0 %"
