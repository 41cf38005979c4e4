from pathlib import Path

import pytest

from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError


def test_settings_and_subjects_are_read_back():
    for settings in (BenchSettings(), BenchSettings(maximum_seconds=9, seed=3, warmup_seconds=0)):
        assert BenchSettings.from_dict(settings.to_dict()) == settings
    for subject in (
        BenchSubject(name="a", file=Path("a.onnx"), engine="onnxruntime", shapes={"x": (2, 3)}, batch=2),
        BenchSubject(name="b", file=Path("b.tflite"), engine="litert", delegate=False, python=Path("/p")),
    ):
        assert BenchSubject.from_dict(subject.to_dict()) == subject


def test_all_impossible_settings_are_named_at_once():
    with pytest.raises(InvalidSettingError) as caught:
        BenchSettings(
            warmup_runs=-1, warmup_seconds=float("nan"), minimum_runs=0, minimum_seconds=-1, block=0, settling_runs=-1,
            openings=0, seed=-1, maximum_seconds=0,
        )  # fmt: skip
    assert len(caught.value.problems) == 9


def test_a_longest_time_below_the_shortest():
    with pytest.raises(InvalidSettingError, match="maximum_seconds is 1, below minimum_seconds 2: no measurement"):
        BenchSettings(maximum_seconds=1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, "name is empty"),
        ({"engine": "torch"}, "engine must be one of 'onnxruntime', 'litert', 'tflite-runtime', found 'torch'"),
        ({"threads": 0}, "threads must be at least 1, found 0"),
        ({"batch": 0}, "batch must be at least 1, found 0"),
        ({"delegate": False}, "delegate is False, but onnxruntime has no delegate to leave out"),
        ({"shapes": {"x": ()}}, r"shapes\['x'\] must have lengths of at least 1, found \(\)"),
        ({"shapes": {"x": (2, 3)}, "batch": 4}, r"shapes\['x'\] begins with 2, but batch is 4: give one of them"),
    ],
)
def test_impossible_subjects(change: dict[str, object], expected: str):
    with pytest.raises(InvalidSettingError, match=expected):
        BenchSubject(**{"name": "a", "file": Path("a.onnx"), "engine": "onnxruntime", **change})


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"shapes": {"x": 3}}, r"'shapes'\['x'\] must be list"), ({"shapes": {"x": [1.5]}}, r"'x'\[0\] must be int")],
)
def test_damaged_subjects(change: dict[str, object], expected: str):
    data = {**BenchSubject(name="a", file=Path("a"), engine="litert").to_dict(), **change}
    with pytest.raises(InvalidRecordError, match=expected):
        BenchSubject.from_dict(data)
