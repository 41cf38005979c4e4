"""Scores of labels are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.label_scores import average_precision, score_labels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("levels", [3, 1000])
def test_average_precision_is_that_of_scikit_learn(seed: int, levels: int) -> None:
    """With few levels many scores are equal."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, 40) / levels
    truth = generator.random(40) < 0.3
    found = average_precision(scores, truth)
    assert found == pytest.approx(average_precision_score(truth, scores), abs=1e-12)


def test_shares_of_a_small_set() -> None:
    probabilities = np.array([[0.9, 0.2, 0.1], [0.4, 0.6, 0.1], [0.8, 0.7, np.nan]])
    truth = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0]], bool)
    found = score_labels(probabilities, truth)
    # The row with a NaN is wrong throughout and comes last.
    assert found.label_accuracy == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert found.exact_match == pytest.approx(1 / 3)
    assert found.average_precision == (1.0, pytest.approx(0.5 + 0.5 * 2 / 3), None)
    assert found.mean_average_precision == pytest.approx((1 + 0.5 + 1 / 3) / 2)
    assert found.mean_label_accuracy == pytest.approx(5 / 9)


def test_other_shapes_cannot_be_compared() -> None:
    with pytest.raises(ComparisonImpossibleError, match=r"probabilities are \[2, 3\], labels \[2, 4\]"):
        score_labels(np.zeros((2, 3)), np.zeros((2, 4), bool))
