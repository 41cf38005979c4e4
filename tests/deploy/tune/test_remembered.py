"""A measurement is made once for the same facts, and not at all when its share of the time is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from condmix.deploy.tune.cache import TuneCache
from condmix.deploy.tune.measuring import BLOCK, NETWORK
from condmix.deploy.tune.remembered import Remembered
from tests.deploy.tune.conftest import MACHINE, MadeUp


def files() -> dict[str, bytes]:
    return {"a": b"", "b": b""}


def remembered(made_up: MadeUp, path: Path, **changes: object) -> Remembered:
    wanted = {"machine": MACHINE, "common": {"batch": 1}, "seconds": 100.0, "now": lambda: 0.0, **changes}
    return Remembered(made_up, TuneCache(path), **wanted)  # type: ignore[arg-type]


def test_once_for_the_same_facts(tmp_path: Path) -> None:
    made_up = MadeUp(lambda _proto: 1.0)
    runs = remembered(made_up, tmp_path / "c.json")
    first = runs.run("s", ["a", "b"], files, BLOCK, share=1.0)
    assert runs.run("s", ["a", "b"], files, BLOCK, share=1.0) == first
    assert (len(made_up.asked), runs.reused) == (1, 1)
    again = remembered(made_up, tmp_path / "c.json")
    assert again.run("s", ["a", "b"], files, BLOCK, share=1.0) == first
    assert (len(made_up.asked), again.reused) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"common": {"batch": 2}},
        {"machine": replace(MACHINE, runtime="onnxruntime 9.10")},
        {"machine": replace(MACHINE, cpu=replace(MACHINE.cpu, features=("AVX",)))},
    ],
)
def test_other_facts_are_another_measurement(tmp_path: Path, changes: dict[str, object]) -> None:
    made_up = MadeUp(lambda _proto: 1.0)
    remembered(made_up, tmp_path / "c.json").run("s", ["a", "b"], files, BLOCK, share=None)
    other = remembered(made_up, tmp_path / "c.json", **changes)
    other.run("s", ["a", "b"], files, BLOCK, share=None)
    assert (len(made_up.asked), other.reused) == (2, 0)


def test_other_graphs_forms_and_settings_are_too_and_the_name_of_the_device_is_not(tmp_path: Path) -> None:
    made_up = MadeUp(lambda _proto: 1.0)
    runs = remembered(made_up, tmp_path / "c.json")
    runs.run("s", ["a", "b"], files, BLOCK, share=None)
    runs.run("t", ["a", "b"], files, BLOCK, share=None)
    runs.run("s", ["a", "c"], files, BLOCK, share=None)
    runs.run("s", ["a", "b"], files, NETWORK, share=None)
    assert (len(made_up.asked), runs.reused) == (4, 0)
    renamed = remembered(made_up, tmp_path / "c.json", machine=replace(MACHINE, name="another"))
    renamed.run("s", ["a", "b"], files, BLOCK, share=None)
    assert renamed.reused == 1


def test_when_the_share_of_the_time_is_over_nothing_new_begins(tmp_path: Path) -> None:
    seconds = [0.0]
    made_up = MadeUp(lambda _proto: 1.0)
    runs = remembered(made_up, tmp_path / "c.json", now=lambda: seconds[0])
    seconds[0] = 61.0
    assert runs.run("s", ["a"], files, BLOCK, share=0.6) is None
    assert runs.run("s", ["a"], files, BLOCK, share=0.7) is not None
    seconds[0] = 1e9
    assert runs.seconds == 1e9
    assert runs.run("s", ["a"], files, BLOCK, share=0.0) is not None  # it is there already
    assert runs.run("last", ["a"], files, BLOCK, share=None) is not None
