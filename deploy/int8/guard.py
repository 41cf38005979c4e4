"""The accuracy guard: layers go back into float, one after another, until the drop is small enough.

Each layer's price is told beside its gain: accuracy, bytes and milliseconds, before and after it alone went back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from condmix.runtime.agreement import MOST_DB
from condmix.runtime.errors import InvalidSettingError

NAMED_RIGHTLY = "accuracy"
"""The share of images whose highest score is their class's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt:
    """One int8 file with some layers in float: its size, its scores on the labelled images, how to run it once."""

    size_bytes: int
    scores: np.ndarray
    """(images, classes)."""
    run_once: Callable[[], object]


class Judge(Protocol):
    """How good scores are, where that is not the share of images named rightly."""

    @property
    def measure(self) -> str:
        """What the share is called, in a word or two."""
        ...

    def scores(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """A file's outputs for all images as (images, numbers)."""
        ...

    def accuracy(self, scores: np.ndarray) -> float:
        """From 0 to 1."""
        ...


Rebuild = Callable[[frozenset[str]], Attempt]
"""The attempt with these layers in float."""
MeasureMilliseconds = Callable[[Attempt, Attempt], tuple[float, float]]
"""Milliseconds an image of two attempts, measured in turns."""


@dataclass(frozen=True, kw_only=True)
class PutBack:
    """One layer that went back into float: what it brought and what it cost."""

    layer: str
    accuracy_before: float
    accuracy_after: float
    bytes_paid: int
    milliseconds_paid: float

    def sentence(self) -> str:
        """One line for a summary."""
        gain = 100 * (self.accuracy_after - self.accuracy_before)
        return (
            f"{self.layer}: {gain:+.2f} points of accuracy for {self.bytes_paid / 1e6:+.2f} MB "
            f"and {self.milliseconds_paid:+.2f} ms"
        )


@dataclass(frozen=True, kw_only=True)
class GuardResult:
    """How accurate float and int8 are on the labelled images, and what was put back to hold the drop."""

    image_count: int
    float_accuracy: float
    first_accuracy: float
    """Of int8 before anything was put back."""
    accuracy: float
    max_drop: float | None
    """The largest share of images that int8 may name worse; None where none was asked for."""
    put_back: tuple[PutBack, ...] = ()
    measure: str = NAMED_RIGHTLY
    """What accuracy is here."""

    @property
    def drop(self) -> float:
        """Of the final file; negative where int8 names more images rightly."""
        return self.float_accuracy - self.accuracy

    @property
    def met(self) -> bool:
        """Whether the guard holds; always where none was asked for."""
        return self.max_drop is None or self.drop <= self.max_drop + 1e-12

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "drop": self.drop, "met": self.met}


def hold(
    rebuild: Rebuild,
    layers: Sequence[str],
    float_scores: np.ndarray,
    labels: np.ndarray,
    *,
    max_drop: float | None,
    measure_milliseconds: MeasureMilliseconds,
    report_progress: Callable[[str], None],
    judge: Judge | None = None,
) -> tuple[GuardResult, frozenset[str]]:
    """Put layers back until int8 names at most `max_drop` fewer of the images rightly; the result and those layers.

    Layers are tried in the order of how much closer to the float scores each alone brings the file. A layer whose
    return changes nothing for the better stays int8 unless the drop is still too large at the end.
    judge: where accuracy is something else than the share named rightly; labels then only count the images.
    Raises InvalidSettingError for labels that do not match the scores.
    """
    if judge is None:
        _check(float_scores, labels)

    def accuracy_of(scores: np.ndarray) -> float:
        return _accuracy(scores, labels) if judge is None else judge.accuracy(scores)

    float_accuracy = accuracy_of(float_scores)
    current = rebuild(frozenset())
    first = accuracy_of(current.scores)
    kept: frozenset[str] = frozenset()
    steps: list[PutBack] = []
    accuracy = first

    def result() -> GuardResult:
        return GuardResult(
            image_count=len(labels),
            float_accuracy=float_accuracy,
            first_accuracy=first,
            accuracy=accuracy,
            max_drop=max_drop,
            put_back=tuple(steps),
            measure=NAMED_RIGHTLY if judge is None else judge.measure,
        )

    if result().met:
        return result(), kept
    for layer in _ranked(rebuild, layers, float_scores, report_progress):
        report_progress(f"put back {layer}")
        attempt = rebuild(kept | {layer})
        before_ms, after_ms = measure_milliseconds(current, attempt)
        after = accuracy_of(attempt.scores)
        steps.append(
            PutBack(
                layer=layer,
                accuracy_before=accuracy,
                accuracy_after=after,
                bytes_paid=attempt.size_bytes - current.size_bytes,
                milliseconds_paid=after_ms - before_ms,
            )
        )
        kept, current, accuracy = kept | {layer}, attempt, after
        if result().met:
            break
    return result(), kept


def _ranked(
    rebuild: Rebuild, layers: Sequence[str], float_scores: np.ndarray, report_progress: Callable[[str], None]
) -> list[str]:
    """Layers by the noise that is left in the scores when each alone is in float, least first."""
    noise: dict[str, float] = {}
    for index, layer in enumerate(layers):
        report_progress(f"try {layer} in float ({index + 1} of {len(layers)})")
        scores = rebuild(frozenset({layer})).scores
        difference = np.nan_to_num(scores - float_scores, nan=MOST_DB, posinf=MOST_DB, neginf=MOST_DB)
        noise[layer] = float((difference**2).mean())
    return sorted(noise, key=lambda layer: noise[layer])


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of images named rightly; scores that are not all finite name nothing."""
    right = (scores.argmax(axis=1) == labels) & np.isfinite(scores).all(axis=1)
    return float(right.mean())


def _check(scores: np.ndarray, labels: np.ndarray) -> None:
    problems = []
    if scores.ndim != 2:
        problems.append(f"the network's scores have shape {scores.shape}: accuracy needs (images, classes)")
    elif labels.shape != scores.shape[:1]:
        problems.append(f"there are {labels.shape[0]} labels for {len(scores)} images")
    elif len(labels) and not (labels.min() >= 0 and labels.max() < scores.shape[1]):
        problems.append(f"labels from {labels.min()} to {labels.max()}: expected 0 to {scores.shape[1] - 1}")
    if problems:
        raise InvalidSettingError(problems, record="accuracy guard")
