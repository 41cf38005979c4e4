import dataclasses
import math

import numpy as np
import pytest

from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.samples import Agreement
from condmix.runtime.bench.verify import verify

LOGITS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
ROWS = np.array([[0, 1], [2, 0]])


def reference(**limits: float) -> Reference:
    return Reference(
        inputs={"x": LOGITS},
        outputs={"y": LOGITS},
        outputs_are="PyTorch",
        limits={"a": Limit(**limits)} if limits else {},
    )


def check(actual: np.ndarray, one: Reference, *, file_name: str = "a", **choices: object) -> Agreement:
    found = verify({"y": actual}, one, image_of_row=ROWS, file_name=file_name, tolerance="float32", **choices)
    assert Agreement.from_dict(found.to_dict()) == found
    return found


def test_every_row_is_compared_with_the_image_it_was_fed():
    found = check(LOGITS[ROWS], reference(max_abs_difference=0.0))
    assert found.passed
    assert (found.images, found.max_abs_difference, found.top1_agreement, found.limit) == (3, 0.0, 1.0, 0.0)
    turned = check(LOGITS[ROWS][:, ::-1], reference(max_abs_difference=1e-3))
    assert not turned.passed
    assert turned.detail.endswith(", at most 0.001")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"top1_agreement": 0.9}, "top-1 agreement 75.0%, at least 90.0%"),
        ({"sqnr_db": 30.0}, "SQNR in dB "),
        ({"sqnr_db": 3.0}, None),
    ],
)
def test_a_rounded_file_is_held_to_what_it_must_keep(limits: dict[str, float], expected: str | None):
    off = LOGITS[ROWS] + np.float32(0.05) * np.sign(LOGITS[ROWS])
    off[1, 1] = 0.9 * np.roll(off[1, 1], 1)
    found = check(off, reference(**limits))
    assert found.passed is (expected is None)
    assert found.limit is None
    assert expected is None or found.detail.startswith(expected)


def test_a_rounded_file_that_the_reference_does_not_know_must_keep_what_ours_do():
    generator = np.random.default_rng(1)
    noise = generator.normal(size=LOGITS[ROWS].shape).astype(np.float32)
    near = check(LOGITS[ROWS] + 0.1 * noise, reference(), file_name="b", is_rounded=True)
    assert near.passed
    assert near.detail.endswith("at least 10.0")
    assert not check(LOGITS[ROWS] + noise, reference(), file_name="b", is_rounded=True).passed
    assert not check(LOGITS[ROWS] + 0.1 * noise, reference(), file_name="b").passed


def test_a_file_that_the_reference_does_not_know_is_held_to_the_tolerance():
    near, far = LOGITS[ROWS] * np.float32(1 + 1e-6), LOGITS[ROWS] * np.float32(1.001)
    found = check(near, reference(), file_name="b")
    assert found.passed
    assert found.detail.endswith(
        "is within: the reference has no limit for 'b', which is held to the float32 tolerance"
    )
    assert not check(far, reference(), file_name="b").passed


@pytest.mark.parametrize("limits", [{"max_abs_difference": 10.0}, {"sqnr_db": -500.0}, {}])
def test_what_is_not_a_number_never_passes(limits: dict[str, float]):
    broken = LOGITS[ROWS].copy()
    broken[0, 0, 0] = np.nan
    found = check(broken, reference(**limits))
    assert not found.passed
    assert found.max_abs_difference == math.inf


def test_integers_are_read_in_their_scale():
    stored = np.rint(LOGITS[ROWS] / 0.05).astype(np.int8)
    assert check(stored, reference(max_abs_difference=0.0251), scales={"y": (0.05, 0)}).passed


def test_another_name_is_fine_for_the_only_output_and_another_shape_is_not():
    one = reference(max_abs_difference=0.0)
    renamed = verify({"z": LOGITS[ROWS]}, one, image_of_row=ROWS, file_name="a", tolerance="float32")
    assert renamed.passed
    short = verify({"z": LOGITS[ROWS][..., :4]}, one, image_of_row=ROWS, file_name="a", tolerance="float32")
    assert short.detail == "it cannot be compared: output 'y' is (2, 4) a run, expected (2, 5)"
    both = {"u": LOGITS[ROWS], "v": LOGITS[ROWS]}
    missing = verify(both, one, image_of_row=ROWS, file_name="a", tolerance="float32")
    assert missing.detail == "it cannot be compared: there is no output 'y', but 'u', 'v'"
    assert not missing.passed


def test_top_1_is_of_outputs_that_score_classes():
    one = reference(max_abs_difference=1.0)
    assert check(LOGITS[ROWS], one).top1_agreement == 1.0
    found = check(LOGITS[ROWS], dataclasses.replace(one, kinds={"y": "labels"}))
    assert (found.top1_agreement, found.passed) == (None, True)
