"""Anchors: how many, where, how large, and in the order of the heads."""

import math

import numpy as np

from condmix.models.anchors import ASPECT_RATIOS, anchors_a_cell, make_anchors

SSD300 = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]


def test_ssd300_has_the_number_of_anchors_that_its_paper_s_implementation_has():
    anchors = make_anchors(SSD300, smallest=0.2, largest=0.95)
    assert anchors.shape == (1917, 4)
    assert anchors.dtype == np.float32
    assert sum(h * w * anchors_a_cell(index) for index, (h, w) in enumerate(SSD300)) == 1917


def test_the_finest_map_has_a_small_square_and_two_of_its_scale():
    anchors = make_anchors([(1, 1), (1, 1)], smallest=0.2, largest=0.8)
    shapes = anchors[:3, 2:]
    expected = [(0.1, 0.1), (0.2 * math.sqrt(2), 0.2 / math.sqrt(2)), (0.2 / math.sqrt(2), 0.2 * math.sqrt(2))]
    np.testing.assert_allclose(shapes, expected, rtol=1e-6)
    np.testing.assert_allclose(anchors[:, :2], 0.5)


def test_other_maps_have_each_ratio_and_a_square_between_two_scales():
    anchors = make_anchors([(1, 1), (1, 1)], smallest=0.2, largest=0.8)[3:]
    np.testing.assert_allclose(anchors[:5, 2] / anchors[:5, 3], ASPECT_RATIOS, rtol=1e-6)
    np.testing.assert_allclose(anchors[:5, 2] * anchors[:5, 3], 0.64, rtol=1e-6)
    np.testing.assert_allclose(anchors[5, 2:], math.sqrt(0.8), rtol=1e-6)


def test_the_order_is_map_row_column_anchor():
    anchors = make_anchors([(2, 3)], smallest=0.2, largest=0.8)
    centres = anchors[::3, :2]
    np.testing.assert_allclose(centres[:, 0], [1 / 6, 1 / 2, 5 / 6] * 2, rtol=1e-6)
    np.testing.assert_allclose(centres[:, 1], [1 / 4] * 3 + [3 / 4] * 3, rtol=1e-6)
    assert np.array_equal(anchors[0, :2], anchors[2, :2])
