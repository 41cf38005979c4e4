"""What anchors are to say, and the loss by hand."""

import math

import pytest
import torch

from condmix.models.box_coding import decode
from condmix.models.detection_loss import BACKGROUND, IGNORED, assign, corners_of, detection_loss, pairwise_iou

ANCHORS = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.25, 0.3, 0.5, 0.5], [0.35, 0.35, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]])


def test_iou_by_hand():
    one = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    other = torch.tensor([[0.25, 0.0, 0.75, 0.5], [0.6, 0.6, 0.9, 0.9], [0.0, 0.0, 0.5, 0.5]])
    torch.testing.assert_close(pairwise_iou(one, other), torch.tensor([[1 / 3, 0.0, 1.0]]))


def test_anchors_near_an_object_show_it_and_those_between_are_ignored():
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    overlap = pairwise_iou(corners_of(ANCHORS), boxes)[:, 0]
    assert overlap.tolist() == pytest.approx([1.0, 0.45 / 0.55, 0.16 / 0.34, 0.0])
    classes, wanted = assign(ANCHORS, boxes, torch.tensor([2]))
    assert classes.tolist() == [2, 2, IGNORED, BACKGROUND]
    torch.testing.assert_close(decode(wanted[:2], ANCHORS[:2]), boxes.expand(2, 4))


def test_an_object_far_from_all_anchors_has_its_best_one():
    classes, _ = assign(ANCHORS, torch.tensor([[0.9, 0.9, 0.92, 0.92]]), torch.tensor([1]))
    assert classes.tolist() == [BACKGROUND, BACKGROUND, BACKGROUND, 1]


def test_a_picture_without_objects_is_background():
    classes, wanted = assign(ANCHORS, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert classes.tolist() == [BACKGROUND] * 4
    assert not wanted.any()


def test_the_loss_by_hand():
    logits = torch.zeros(1, 3, 1)
    deltas, wanted = torch.zeros(1, 3, 4), torch.zeros(1, 3, 4)
    wanted[0, 0, 0] = 2.0
    classes = torch.tensor([[0, BACKGROUND, IGNORED]])
    # Probability one half: weight (1 - 1/2)^2, entropy log 2; smooth L1 of a distance of 2 is 1.5.
    focal = (0.25 + 0.75) * 0.25 * math.log(2)
    assert detection_loss(deltas, logits, classes, wanted).item() == pytest.approx(4 * focal + 0.25 * 1.5)


def test_what_is_ignored_costs_nothing():
    classes = torch.tensor([[0, IGNORED]])
    logits = torch.tensor([[[1.0], [5.0]]])
    zeros = torch.zeros(1, 2, 4)
    loss = detection_loss(zeros, logits, classes, zeros)
    assert loss == detection_loss(zeros, logits * torch.tensor([[[1.0], [-1.0]]]), classes, zeros)
    assert loss < detection_loss(zeros, logits, torch.tensor([[0, BACKGROUND]]), zeros)
