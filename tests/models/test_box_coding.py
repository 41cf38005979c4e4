"""Box coding: there and back, by hand, clipped, and as the tail of a detector."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from condmix.models import zoo
from condmix.models.box_coding import GivesAnchors, decode, encode, with_decoding

SHARES = st.floats(0.02, 0.9)


@settings(deadline=None)  # the first call warms torch up
@given(SHARES, SHARES, SHARES, SHARES, st.integers(0, 2**31))
def test_what_is_encoded_is_decoded(x, y, width, height, seed):
    generator = torch.Generator().manual_seed(seed)
    anchors = torch.rand(3, 4, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    corners = torch.tensor([x, y, x + width * (1 - x), y + height * (1 - y)], dtype=torch.float64).expand(3, 4)
    torch.testing.assert_close(decode(encode(corners, anchors), anchors), corners, rtol=1e-9, atol=1e-12)


def test_a_box_by_hand():
    anchors = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    # One tenth of an anchor to the right, up by two, twice as wide.
    deltas = torch.tensor([[1.0, -2.0, math.log(2) / 0.2, 0.0]])
    torch.testing.assert_close(decode(deltas, anchors), torch.tensor([[0.32, 0.22, 0.72, 0.62]]))


def test_boxes_end_at_the_picture():
    corners = decode(torch.tensor([[0.0, 0.0, 400.0, 40.0]]), torch.tensor([[0.5, 0.9, 0.5, 0.5]]))
    assert corners.tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_a_decoded_detector_keeps_its_modules_and_gives_boxes_and_probabilities():
    torch.manual_seed(0)
    detector = zoo.build("ssd_condconv_shapes").eval()
    assert isinstance(detector, GivesAnchors)
    anchors = detector.anchors(96, 96)
    decoded = with_decoding(detector, anchors)
    assert set(dict(detector.named_modules())) | {"decode"} == set(dict(decoded.named_modules()))
    assert decoded.state_dict().keys() == detector.state_dict().keys()
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        raw, cooked = detector(images), decoded(images)
    torch.testing.assert_close(cooked["boxes"], decode(raw["boxes"], torch.from_numpy(anchors)))
    torch.testing.assert_close(cooked["scores"], torch.sigmoid(raw["scores"]))
    with pytest.raises(AttributeError):
        detector.get_submodule("decode")


def test_a_classifier_gives_no_anchors():
    assert not isinstance(zoo.build("condconv_digits"), GivesAnchors)
