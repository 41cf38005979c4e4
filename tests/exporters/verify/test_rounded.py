"""A rounded file: every way of running it against what it says, and what it says against the float network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from condmix.exporters.verify.rounded import RoundedLimits, RoundedVerification, Run, Way, verify_rounded
from condmix.runtime.errors import InvalidSettingError

IMAGES = np.random.default_rng(0).standard_normal((3, 2, 4, 4)).astype(np.float32)
STEP = 0.05
FLOAT = {"logits": IMAGES.reshape(3, 32)[:, :6].copy()}


def rounded(images: np.ndarray) -> Mapping[str, np.ndarray]:
    """A file that keeps the first numbers of an image, on a grid."""
    return {"logits": np.rint(images.reshape(len(images), 32)[:, :6] / STEP) * STEP}


def off_by(steps: float) -> Run:
    def run(images: np.ndarray) -> Mapping[str, np.ndarray]:
        rows = rounded(images)["logits"].copy()
        rows[0, 1] += steps * STEP
        return {"logits": rows}

    return run


def verified(*ways: Way, meaning: Run = rounded, limits: RoundedLimits | None = None) -> RoundedVerification:
    return verify_rounded(
        meaning,
        ways,
        IMAGES,
        FLOAT,
        input_step=STEP,
        output_steps={"logits": STEP},
        limits=limits or RoundedLimits(most_steps=2),
    )


def test_a_file_that_computes_what_it_says_passes() -> None:
    result = verified(Way(name="one thread", run=rounded), Way(name="two threads", run=off_by(3.9)))
    assert result.passed
    assert [check.worst_steps for check in result.meaning] == pytest.approx([0, 3.9])
    assert result.agreement[0].sqnr_db_median > 20
    assert result.to_dict()["passed"] is True


def test_a_way_that_saturates_is_named() -> None:
    result = verified(Way(name="one thread", run=rounded), Way(name="delegate", run=off_by(-30)))
    assert not result.passed
    assert result.problems() == (
        "it does not compute what its own numbers say: delegate: off by up to 30 steps of 'logits', limit 4 "
        "(a few pixels rounded differently: 1)",
    )


def test_a_file_that_amplifies_a_single_step_is_measured_by_what_it_does_itself() -> None:
    """Its plain form multiplies by twenty after rounding, so any kernel's single step shows twentyfold."""

    def amplifying(images: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"logits": 20 * rounded(images)["logits"]}

    def another_kernel(images: np.ndarray) -> Mapping[str, np.ndarray]:
        rows = amplifying(images)["logits"].copy()
        rows[0, 1] += 3 * 20 * STEP
        return {"logits": rows}

    result = verified(Way(name="kernel", run=another_kernel), meaning=amplifying)
    assert (result.meaning[0].own_steps, result.meaning[0].limit_steps) == pytest.approx((20, 80))
    assert result.meaning[0].passed
    assert not verified(Way(name="kernel", run=another_kernel)).meaning[0].passed


def test_an_engine_that_keeps_the_first_image_is_found() -> None:
    """Right forwards, where every image is new, and wrong on the way back."""
    result = verified(Way(name="keeps", run=lambda images: rounded(np.repeat(images[:1], len(images), axis=0))))
    assert not result.passed

    def forgets_on_the_way_back(images: np.ndarray) -> Mapping[str, np.ndarray]:
        half = len(images) // 2
        return rounded(np.concatenate([images[:half], np.repeat(images[half : half + 1], half, axis=0)]))

    assert not verified(Way(name="back", run=forgets_on_the_way_back)).passed


def test_a_file_that_says_the_wrong_thing_is_told_apart() -> None:
    def ruined(images: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"logits": np.zeros((len(images), 6))}

    result = verified(Way(name="one thread", run=ruined), meaning=ruined)
    assert all(check.passed for check in result.meaning)
    assert len(result.problems()) == 1
    assert result.problems()[0].startswith("output 'logits' is too far from the float network: ")
    assert result.problems()[0].endswith("expected at least 10 dB")


def test_agreement_is_judged_on_the_images_of_the_reference_the_last_ones() -> None:
    def wrong_on_the_first(images: np.ndarray) -> Mapping[str, np.ndarray]:
        rows = rounded(images)["logits"].copy()
        rows[(images == IMAGES[0]).all(axis=(1, 2, 3))] = 99
        return {"logits": rows}

    way = Way(name="one thread", run=wrong_on_the_first)
    shared = {"input_step": STEP, "output_steps": {"logits": STEP}, "limits": RoundedLimits(most_steps=2)}
    last = {"logits": FLOAT["logits"][1:]}
    assert verify_rounded(wrong_on_the_first, [way], IMAGES, last, **shared).passed  # type: ignore[arg-type]
    assert not verify_rounded(wrong_on_the_first, [way], IMAGES, FLOAT, **shared).agreement[0].sqnr_db_worst > 0  # type: ignore[arg-type]


def test_what_is_not_finite_never_passes() -> None:
    def broken(images: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"logits": np.where(np.arange(6) == 2, np.nan, rounded(images)["logits"])}

    result = verified(Way(name="one thread", run=broken))
    assert result.problems() == (
        "it does not compute what its own numbers say: one thread: 6 values of 'logits' are not finite",
    )
    assert not verified(Way(name="one thread", run=broken), meaning=broken).passed


def test_limits_without_sense() -> None:
    with pytest.raises(InvalidSettingError, match="most_steps is 0"):
        RoundedLimits(most_steps=0)
