"""Agreement of a rounded network with the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.runtime.agreement import MOST_DB, agreement
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.output_kind import EMBEDDING, LABELS, VALUES

SCORES = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)


def test_an_exact_copy_agrees_in_everything() -> None:
    (found,) = agreement({"logits": SCORES}, {"logits": SCORES.copy()})
    assert (found.sqnr_db_median, found.sqnr_db_worst) == (MOST_DB, MOST_DB)
    assert (found.top1_agreement, found.nonfinite_count, found.image_count) == (1.0, 0, 8)
    assert found.cosine_worst == pytest.approx(1.0)


def test_decibels_are_the_ratio_of_powers_image_by_image() -> None:
    rounded = SCORES * 1.1
    rounded[3] = SCORES[3] * 2
    (found,) = agreement({"logits": SCORES}, {"logits": rounded})
    assert found.sqnr_db_median == pytest.approx(20.0, abs=1e-3)
    assert found.sqnr_db_worst == pytest.approx(0.0, abs=1e-3)
    assert found.cosine_worst == pytest.approx(1.0)


def test_top1_counts_images_that_keep_their_class() -> None:
    rounded = SCORES.copy()
    rounded[[1, 4]] *= -1
    (found,) = agreement({"logits": SCORES}, {"logits": rounded})
    assert found.top1_agreement == 0.75
    assert found.cosine_worst == pytest.approx(-1.0)
    assert found.sentence().startswith("top-1 agreement 75.0%, SQNR ")


def test_maps_and_single_scores_name_no_class() -> None:
    maps = SCORES.reshape(8, 5, 1, 1)
    assert agreement({"map": maps}, {"map": maps})[0].top1_agreement is None
    assert agreement({"one": SCORES[:, :1]}, {"one": SCORES[:, :1]})[0].top1_agreement is None


def test_only_classes_are_named() -> None:
    for kind in (EMBEDDING, VALUES, LABELS):
        assert agreement({"y": SCORES}, {"y": SCORES}, {"y": kind})[0].top1_agreement is None
    (found,) = agreement({"y": SCORES}, {"y": 2 * SCORES}, {"y": EMBEDDING})
    assert found.sentence().startswith("cosine 1.0000 or more, SQNR ")
    assert found.to_dict()["is_embedding"] is True
    assert "label_agreement" not in found.to_dict()


def test_labels_agree_on_the_same_side_of_one_half() -> None:
    exact = np.array([[0.1, 0.6, 0.9], [0.4, 0.51, 0.2]])
    rounded = np.array([[0.2, 0.4, 0.8], [0.4, 0.52, 0.2]])
    (found,) = agreement({"y": exact}, {"y": rounded}, {"y": LABELS})
    assert found.label_agreement == pytest.approx(5 / 6)
    assert found.sentence().startswith("83.3% of the labels on the same side of 0.5, SQNR ")
    assert "is_embedding" not in found.to_dict()


def test_what_is_not_finite_is_never_good() -> None:
    rounded = SCORES.copy()
    rounded[2, 0] = np.nan
    (found,) = agreement({"logits": SCORES}, {"logits": rounded})
    assert (found.nonfinite_count, found.sqnr_db_worst, found.cosine_worst) == (1, -MOST_DB, -1.0)
    assert found.sentence().endswith("1 values are not finite")


def test_zeros_for_zeros_are_right_and_zeros_for_numbers_are_not() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert agreement({"y": zeros}, {"y": zeros})[0].sqnr_db_worst == MOST_DB
    assert agreement({"y": np.ones((2, 3))}, {"y": zeros})[0].sqnr_db_worst == 0.0
    assert agreement({"y": np.ones((2, 3))}, {"y": zeros})[0].cosine_worst == 0.0


def test_outputs_that_do_not_match_are_all_named() -> None:
    with pytest.raises(InvalidSettingError) as caught:
        agreement({"a": SCORES, "b": SCORES, "c": SCORES[:0]}, {"b": SCORES[:, :2], "c": SCORES[:0]})
    for part in ("output 'a' is missing", "'b' has shape (8, 2): expected (8, 5)", "'c' has no images"):
        assert part in str(caught.value)
