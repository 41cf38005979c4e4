"""What a single-shot detector is trained on: anchors that are near an object, and everything else as background."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from condmix.models.box_coding import encode

POSITIVE_IOU = 0.5
NEGATIVE_IOU = 0.4
"""Anchors between the two are neither an object nor background."""
_ALPHA = 0.25
_GAMMA = 2.0
_CLASS_SHARE, _BOX_SHARE = 4.0, 0.25
"""So that both are of one size at the start: deltas are told in tenths of an anchor, their distances are large."""
BACKGROUND, IGNORED = -1, -2


def pairwise_iou(one: Tensor, other: Tensor) -> Tensor:
    """The share of the joint area that boxes (n, 4) and (m, 4), as corners, have in common: (n, m)."""
    low = torch.maximum(one[:, None, :2], other[None, :, :2])
    high = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared).clamp(min=1e-12)


def corners_of(anchors: Tensor) -> Tensor:
    """Anchors (count, 4), centre and size, as corners."""
    half = anchors[:, 2:] / 2
    return torch.cat((anchors[:, :2] - half, anchors[:, :2] + half), dim=1)


def assign(anchors: Tensor, boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For one picture the class that each anchor is to show (`BACKGROUND`, `IGNORED`), and the deltas to its object.

    An anchor belongs to the object it overlaps most, if by `POSITIVE_IOU`; every object has at least its best anchor.
    """
    classes = torch.full((len(anchors),), BACKGROUND)
    if not len(boxes):
        return classes, torch.zeros_like(anchors)
    overlap = pairwise_iou(corners_of(anchors), boxes)
    best, owner = overlap.max(dim=1)
    best_anchor = overlap.argmax(dim=0)
    owner[best_anchor] = torch.arange(len(boxes))
    best[best_anchor] = 1.0
    classes[best >= NEGATIVE_IOU] = IGNORED
    positive = best >= POSITIVE_IOU
    classes[positive] = labels[owner[positive]]
    return classes, encode(boxes[owner], anchors)


def detection_loss(deltas: Tensor, logits: Tensor, classes: Tensor, wanted: Tensor) -> Tensor:
    """Focal loss of the classes and smooth L1 of the deltas, weighted, divided by the number of anchors with an object.

    deltas, wanted (batch, anchors, 4); logits (batch, anchors, classes); classes (batch, anchors) as `assign` gives.
    Source: arXiv 1708.02002, equation 5, with alpha 0.25 and gamma 2; arXiv 1506.01497, equation 1.
    """
    positive = classes >= 0
    count = positive.sum().clamp(min=1)
    target = functional.one_hot(classes.clamp(min=0), logits.shape[-1]) * positive[..., None]
    target = target.to(logits.dtype)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = torch.sigmoid(logits)
    missed = target * (1 - probability) + (1 - target) * probability
    weight = (target * _ALPHA + (1 - target) * (1 - _ALPHA)) * missed**_GAMMA
    focal = (weight * entropy * (classes != IGNORED)[..., None]).sum()
    distance = functional.smooth_l1_loss(deltas[positive], wanted[positive], reduction="sum")
    return (_CLASS_SHARE * focal + _BOX_SHARE * distance) / count
