"""Padding: SAME is what TensorFlow defines, and is left to the convolution where it is symmetric."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from condmix.models.padding import Conv2dSame, conv2d, pad_same, same_padding, symmetric_padding

SIZES = st.integers(1, 40)
ODD = st.sampled_from([1, 3, 5, 7, 9, 11])


@settings(deadline=None, derandomize=True, max_examples=200)
@given(size=SIZES, kernel=st.integers(1, 11), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_same_gives_the_ceiling_with_the_fewest_pads(size: int, kernel: int, stride: int, dilation: int) -> None:
    before, after = same_padding(size, kernel, stride, dilation)
    reach = dilation * (kernel - 1) + 1
    assert (size + before + after - reach) // stride + 1 == math.ceil(size / stride)
    assert after - before in (0, 1)
    # One pad less would lose a position, unless none was needed at all.
    assert before + after == 0 or (size + before + after - 1 - reach) // stride + 1 < math.ceil(size / stride)


def test_same_of_an_even_size_at_stride_two_pads_after() -> None:
    assert same_padding(224, 3, 2) == (0, 1)
    assert same_padding(225, 3, 2) == (1, 1)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(size=SIZES, kernel=ODD, dilation=st.integers(1, 3))
def test_symmetric_keeps_the_size_and_is_same_at_stride_one(size: int, kernel: int, dilation: int) -> None:
    pad = symmetric_padding(kernel, dilation)
    assert size + 2 * pad - dilation * (kernel - 1) == size
    assert same_padding(size, kernel, 1, dilation) == (pad, pad)


def test_pads_are_left_to_the_convolution_where_both_sides_are_alike() -> None:
    x = torch.zeros(1, 1, 9, 9)
    same, padding = pad_same(x, (3, 3), (2, 2), (1, 1))
    assert same is x
    assert padding == (1, 1)
    padded, padding = pad_same(torch.zeros(1, 1, 9, 8), (3, 3), (2, 2), (1, 1))
    assert padded.shape == (1, 1, 11, 9)
    assert padding == (0, 0)


@pytest.mark.parametrize("size", [5, 8, 9])
def test_same_convolution_equals_padding_by_hand(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Conv2dSame(2, 3, 5, stride=2, bias=False).double()
    x = torch.randn(2, 2, size, size, generator=generator, dtype=torch.float64)
    before, after = same_padding(size, 5, 2)
    by_hand = nn.functional.conv2d(nn.functional.pad(x, (before, after, before, after)), layer.weight, stride=2)
    torch.testing.assert_close(layer(x), by_hand, rtol=0, atol=1e-12)


def test_an_ordinary_layer_serves_where_padding_does_not_depend_on_the_size() -> None:
    assert type(conv2d(2, 2, 3, padding="same")) is nn.Conv2d
    assert type(conv2d(2, 2, 3, stride=2, padding="same")) is Conv2dSame
    assert type(conv2d(2, 2, 3, stride=2)) is nn.Conv2d
