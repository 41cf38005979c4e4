"""Boxes by hand, and against PyTorch's decoding."""

import numpy as np
import pytest
import torch

from condmix.models import box_coding
from condmix.models.detection_loss import pairwise_iou as torch_iou
from condmix.runtime.detection.boxes import CENTRE_SCALE, SIZE_SCALE, decode, pairwise_iou, probabilities


def test_both_codings_are_one():
    assert (CENTRE_SCALE, SIZE_SCALE) == (box_coding.CENTRE_SCALE, box_coding.SIZE_SCALE)
    generator = np.random.default_rng(0)
    anchors = generator.uniform(0.05, 0.95, (40, 4)).astype(np.float32)
    deltas = generator.normal(0, 3, (2, 40, 4)).astype(np.float32)
    expected = box_coding.decode(torch.from_numpy(deltas), torch.from_numpy(anchors)).numpy()
    np.testing.assert_allclose(decode(deltas, anchors), expected, rtol=1e-5, atol=1e-6)


def test_a_box_without_measure_is_the_picture():
    corners = decode(np.array([[0, 0, 1e6, 1e6]], np.float32), np.array([[0.5, 0.5, 0.1, 0.1]], np.float32))
    assert corners.tolist() == [[0, 0, 1, 1]]


def test_probabilities_are_sigmoids_to_the_ends():
    found = probabilities(np.array([-200.0, 0.0, 200.0]))
    assert found.tolist() == [0.0, 0.5, 1.0]


def test_iou_is_pytorchs_and_zero_without_area():
    generator = np.random.default_rng(1)
    low = generator.uniform(0, 0.6, (20, 2))
    boxes = np.concatenate((low, low + generator.uniform(0.1, 0.4, (20, 2))), axis=1).astype(np.float32)
    expected = torch_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    np.testing.assert_allclose(pairwise_iou(boxes, boxes), expected, atol=1e-6)
    flat = np.array([[0.2, 0.2, 0.2, 0.8]], np.float32)
    assert pairwise_iou(flat, flat).tolist() == [[0.0]]
    assert pairwise_iou(boxes[:1], boxes[:1])[0, 0] == pytest.approx(1.0)
