"""How well a rounded network (int8) agrees with the exact one: signal to noise, direction, and what it names.

Parity asks whether two files compute the same; agreement asks how much a file that was rounded on purpose has kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.output_kind import CLASSES, EMBEDDING, LABELS

LEAST_SQNR_DB = 10.0
"""What a rounded file must keep, median over images: noise a tenth of the signal. Ruined ones lie around 0."""
HALF = 0.5
"""Above it a label holds."""
MOST_DB = 200.0
"""An exact copy has no noise; its ratio is capped here, beyond what float32 can tell apart."""


@dataclass(frozen=True, kw_only=True)
class OutputAgreement:
    """One output over all images. sqnr_db: 10 log10 of signal power over the power of the difference, per image."""

    name: str
    image_count: int
    sqnr_db_median: float
    sqnr_db_worst: float
    cosine_worst: float
    top1_agreement: float | None
    """Share of images for which both name the same class; None for an output that scores no classes."""
    nonfinite_count: int
    label_agreement: float | None = None
    """Share of labels, over all images, that lie on the same side of one half; None for any other output."""
    is_embedding: bool = False

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        data = asdict(self)
        if self.label_agreement is None:
            del data["label_agreement"]
        if not self.is_embedding:
            del data["is_embedding"]
        return data

    def sentence(self) -> str:
        """One line for a summary."""
        same = "" if self.top1_agreement is None else f"top-1 agreement {self.top1_agreement:.1%}, "
        if self.label_agreement is not None:
            same = f"{self.label_agreement:.1%} of the labels on the same side of 0.5, "
        if self.is_embedding:
            same = f"cosine {self.cosine_worst:.4f} or more, "
        broken = f"; {self.nonfinite_count} values are not finite" if self.nonfinite_count else ""
        return f"{same}SQNR {self.sqnr_db_median:.1f} dB (worst image {self.sqnr_db_worst:.1f}){broken}"


def agreement(
    reference: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray], kinds: Mapping[str, str] | None = None
) -> tuple[OutputAgreement, ...]:
    """Compare outputs by name, each (images, ...).

    kinds: what outputs are, in the words of `output_kind`; a row of two or more scores is of classes unless told. A
    class is named by the largest score, a label by a probability above one half. What is not finite counts as noise
    without limit.
    Raises InvalidSettingError when names or shapes differ, or there is no image.
    """
    problems = [f"output '{name}' is missing" for name in reference if name not in actual]
    for name in reference.keys() & actual.keys():
        if reference[name].shape != actual[name].shape:
            problems.append(f"output '{name}' has shape {actual[name].shape}: expected {reference[name].shape}")
        elif not len(reference[name]):
            problems.append(f"output '{name}' has no images")
    if problems:
        raise InvalidSettingError(problems, record="agreement")
    return tuple(_one(name, rows, actual[name], (kinds or {}).get(name, CLASSES)) for name, rows in reference.items())


def _one(name: str, reference: np.ndarray, actual: np.ndarray, kind: str) -> OutputAgreement:
    count = len(reference)
    exact = reference.reshape(count, -1).astype(np.float64)
    rounded = actual.reshape(count, -1).astype(np.float64)
    nonfinite = int((~np.isfinite(rounded)).sum())
    rounded = np.where(np.isfinite(rounded), rounded, 0.0)
    noise = ((rounded - exact) ** 2).sum(axis=1)
    signal = (exact**2).sum(axis=1)
    db = _decibels(signal, noise)
    lengths = np.sqrt(signal * (rounded**2).sum(axis=1))
    cosine = np.where(lengths > 0, (exact * rounded).sum(axis=1) / np.where(lengths > 0, lengths, 1.0), 0.0)
    cosine = np.where((lengths == 0) & (noise == 0), 1.0, cosine)
    if nonfinite:
        broken = ~np.isfinite(actual.reshape(count, -1)).all(axis=1)
        db, cosine = np.where(broken, -MOST_DB, db), np.where(broken, -1.0, cosine)
    same = None
    if reference.ndim == 2 and exact.shape[1] > 1 and kind == CLASSES:
        same = float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean())
    return OutputAgreement(
        name=name,
        image_count=count,
        sqnr_db_median=float(np.median(db)),
        sqnr_db_worst=float(db.min()),
        cosine_worst=float(cosine.min()),
        top1_agreement=same,
        nonfinite_count=nonfinite,
        label_agreement=float(((exact > HALF) == (rounded > HALF)).mean()) if kind == LABELS else None,
        is_embedding=kind == EMBEDDING,
    )


def _decibels(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        db = 10 * np.log10(signal / noise)
    db = np.where(noise == 0, MOST_DB, db)
    return np.asarray(np.clip(db, -MOST_DB, MOST_DB))
