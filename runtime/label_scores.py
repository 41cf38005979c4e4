"""How well probabilities of independent labels fit what is true of some images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condmix.runtime.errors import ComparisonImpossibleError

THRESHOLD = 0.5
"""A label holds above it."""


@dataclass(frozen=True, kw_only=True)
class LabelScores:
    """Of all images: shares from 0 to 1.

    label_accuracy: for each label, the images on whose right side of one half it lies. exact_match: the images of
    which all labels do. average_precision: of each label, None where no image has it. mean_average_precision: of the
    labels that some image has, 0 without one.
    """

    images: int
    label_accuracy: tuple[float, ...]
    exact_match: float
    average_precision: tuple[float | None, ...]
    mean_average_precision: float

    @property
    def mean_label_accuracy(self) -> float:
        """Of all labels."""
        return float(np.mean(self.label_accuracy))


def score_labels(probabilities: np.ndarray, truth: np.ndarray) -> LabelScores:
    """The scores of (images, labels) probabilities; truth of the same shape, bool.

    A row that is not all finite is wrong in every label and comes last in every order.
    Raises ComparisonImpossibleError for other shapes, and without images.
    """
    if probabilities.shape != truth.shape or truth.ndim != 2 or not truth.size:
        problem = f"probabilities are {list(probabilities.shape)}, labels {list(truth.shape)}: expected equal rows"
        raise ComparisonImpossibleError([problem])
    finite = np.isfinite(probabilities).all(axis=1)
    ranked = np.where(finite[:, None], probabilities, -np.inf)
    right = ((ranked > THRESHOLD) == truth) & finite[:, None]
    precisions = [average_precision(ranked[:, label], truth[:, label]) for label in range(truth.shape[1])]
    known = [one for one in precisions if one is not None]
    return LabelScores(
        images=len(truth),
        label_accuracy=tuple(right.mean(axis=0).tolist()),
        exact_match=float(right.all(axis=1).mean()),
        average_precision=tuple(precisions),
        mean_average_precision=float(np.mean(known)) if known else 0.0,
    )


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float | None:
    """The sum over falling thresholds of (recall gained) x (precision there); None where nothing is true.

    Equal scores share a threshold. Source: scikit-learn's `average_precision_score`, whose definition this is.
    """
    positives = int(truth.sum())
    if not positives:
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
    hits, taken = hits[last_of_equals], (np.arange(len(scores)) + 1)[last_of_equals]
    gained = np.diff(hits, prepend=0) / positives
    return float((gained * hits / taken).sum())
