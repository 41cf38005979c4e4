"""The accuracy guard on a made-up network whose layers each add a known error."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.deploy.int8.guard import Attempt, GuardResult, hold
from condmix.runtime.errors import InvalidSettingError

LABELS = np.array([0, 1, 2, 3, 0, 1, 2, 3])
FLOAT = np.eye(4)[LABELS] * 4
# Image -> wrong class that the layer's error pushes it to; the larger error spoils more images.
ERRORS = {"stem": (), "deep.first": (0, 1, 2), "deep.second": (5,), "head": ()}
SIZES = {"stem": 10, "deep.first": 300, "deep.second": 200, "head": 40}


def rebuild(float_layers: frozenset[str]) -> Attempt:
    scores = FLOAT.copy()
    size = 1000
    for layer, images in ERRORS.items():
        if layer in float_layers:
            size += SIZES[layer]
            continue
        scores += 0.01
        for image in images:
            scores[image, (LABELS[image] + 1) % 4] += 9
    return Attempt(size_bytes=size, scores=scores, run_once=lambda: None)


def guarded(max_drop: float | None) -> tuple[GuardResult, frozenset[str], list[str]]:
    said: list[str] = []
    result, kept = hold(
        rebuild,
        list(ERRORS),
        FLOAT,
        LABELS,
        max_drop=max_drop,
        measure_milliseconds=lambda before, after: (before.size_bytes / 100, after.size_bytes / 100),
        report_progress=said.append,
    )
    return result, kept, said


def test_nothing_is_put_back_where_the_drop_is_small_enough() -> None:
    result, kept, said = guarded(0.5)
    assert (result.met, result.put_back, kept, said) == (True, (), frozenset(), [])
    assert (result.float_accuracy, result.accuracy, result.drop) == (1.0, 0.5, 0.5)


def test_without_a_guard_accuracy_is_still_told() -> None:
    result, kept, _ = guarded(None)
    assert (result.met, result.accuracy, kept) == (True, 0.5, frozenset())


def test_the_layer_that_helps_most_goes_first_with_its_price() -> None:
    result, kept, said = guarded(0.2)
    assert result.met
    assert kept == {"deep.first"}
    (step,) = result.put_back
    assert (step.accuracy_before, step.accuracy_after) == (0.5, 0.875)
    assert step.bytes_paid == 300
    assert step.milliseconds_paid == pytest.approx(3.0)
    assert step.sentence() == "deep.first: +37.50 points of accuracy for +0.00 MB and +3.00 ms"
    assert said[0] == "try stem in float (1 of 4)"
    assert said[-1] == "put back deep.first"


def test_layers_follow_until_the_guard_holds() -> None:
    result, kept, _ = guarded(0.0)
    assert result.met
    assert kept == {"deep.first", "deep.second"}
    assert [step.layer for step in result.put_back] == ["deep.first", "deep.second"]
    assert result.to_dict()["met"] is True


def test_a_guard_that_cannot_be_met_says_so_with_everything_tried() -> None:
    def hopeless(float_layers: frozenset[str]) -> Attempt:
        return Attempt(size_bytes=1 + len(float_layers), scores=-FLOAT, run_once=lambda: None)

    result, kept = hold(
        hopeless,
        ["a", "b"],
        FLOAT,
        LABELS,
        max_drop=0.01,
        measure_milliseconds=lambda _before, _after: (0.0, 0.0),
        report_progress=lambda _text: None,
    )
    assert not result.met
    assert kept == {"a", "b"}
    assert len(result.put_back) == 2


def test_labels_that_do_not_match_are_refused() -> None:
    for scores, labels, text in (
        (FLOAT, LABELS[:3], "there are 3 labels for 8 images"),
        (FLOAT, LABELS + 1, "labels from 1 to 4: expected 0 to 3"),
        (FLOAT[:, :, None], LABELS, "scores have shape"),
    ):
        with pytest.raises(InvalidSettingError, match=text):
            hold(
                rebuild,
                [],
                scores,
                labels,
                max_drop=0.1,
                measure_milliseconds=lambda _before, _after: (0.0, 0.0),
                report_progress=lambda _text: None,
            )


def test_scores_that_are_not_finite_name_nothing_rightly() -> None:
    def broken(_float_layers: frozenset[str]) -> Attempt:
        return Attempt(size_bytes=1, scores=np.full_like(FLOAT, np.nan), run_once=lambda: None)

    result, _ = hold(
        broken,
        ["a"],
        FLOAT,
        LABELS,
        max_drop=0.1,
        measure_milliseconds=lambda _before, _after: (0.0, 0.0),
        report_progress=lambda _text: None,
    )
    assert result.accuracy == 0
    assert not result.met
