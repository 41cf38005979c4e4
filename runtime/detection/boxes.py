"""Boxes as corners: decoded from a head's deltas, and how much two of them have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CENTRE_SCALE = 0.1
SIZE_SCALE = 0.2

Array = npt.NDArray[np.float32]


def decode(deltas: np.ndarray, anchors: np.ndarray) -> Array:
    """Corners (..., anchors, 4), x_min, y_min, x_max, y_max in shares of the picture, clipped to it.

    deltas (..., anchors, 4): of centre x and y in tenths of the anchor, of width and height in fifths of a natural
    logarithm. anchors (anchors, 4): centre x, centre y, width, height, in shares of the picture.
    Source: the box coder of Faster R-CNN, arXiv 1506.01497, equation 2.
    """
    deltas, anchors = deltas.astype(np.float32), anchors.astype(np.float32)
    centre = deltas[..., :2] * (np.float32(CENTRE_SCALE) * anchors[:, 2:]) + anchors[:, :2]
    with np.errstate(over="ignore"):  # an infinite box is clipped like any other that is too large
        half = np.exp(deltas[..., 2:] * np.float32(SIZE_SCALE)) * (np.float32(0.5) * anchors[:, 2:])
    corners: Array = np.clip(np.concatenate((centre - half, centre + half), axis=-1), 0, 1)
    return corners


def probabilities(logits: np.ndarray) -> Array:
    """The sigmoid of each logit: classes are independent, there is none for the background."""
    with np.errstate(over="ignore"):
        shares: Array = np.float32(1) / (np.float32(1) + np.exp(-logits.astype(np.float32)))
    return shares


def pairwise_iou(one: np.ndarray, other: np.ndarray) -> Array:
    """Intersection over union of boxes (n, 4) and (m, 4): (n, m); 0 where a box has no area."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    iou: Array = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return iou
