"""SAME padding is TensorFlow's and torch's, and its rule is found again from its numbers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.sizes.same_padding import SameRule, find_rule, same_pads

LENGTHS = st.integers(1, 300)
KERNELS = st.integers(1, 11)
STRIDES = st.integers(1, 5)
DILATIONS = st.integers(1, 4)


@given(LENGTHS, KERNELS, STRIDES, DILATIONS)
def test_the_result_has_as_many_positions_as_strides_fit(length: int, kernel: int, stride: int, dilation: int) -> None:
    """TensorFlow: ceil(length / stride) positions, with the least padding that gives them, the odd one at the end."""
    extent = (kernel - 1) * dilation + 1
    before, after = same_pads(length, extent, stride)
    assert (length + before + after - extent) // stride + 1 == math.ceil(length / stride)
    assert after - before in (0, 1)
    if before + after:
        assert (length + before + after - 1 - extent) // stride + 1 < math.ceil(length / stride)


@given(st.integers(12, 40), KERNELS.filter(lambda kernel: kernel % 2 == 1), DILATIONS)
def test_at_stride_one_it_is_what_torch_pads(length: int, kernel: int, dilation: int) -> None:
    extent = (kernel - 1) * dilation + 1
    weight = torch.arange(1.0, kernel + 1)[None, None]
    x = torch.arange(float(length))[None, None] + 1
    before, after = same_pads(length, extent, 1)
    ours = F.conv1d(F.pad(x, (before, after)), weight, dilation=dilation)
    assert torch.equal(ours, F.conv1d(x, weight, padding="same", dilation=dilation))


@given(
    st.lists(st.integers(4, 200), min_size=3, max_size=6, unique=True),
    KERNELS,
    STRIDES,
    DILATIONS,
    st.booleans(),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_a_rule_is_found_from_its_own_pads(
    lengths: list[int], kernel: int, stride: int, dilation: int, lower: bool, more: tuple[int, int]
) -> None:
    extent = (kernel - 1) * dilation + 1
    rule = SameRule(extent=extent, stride=stride, lower=lower, more=more)
    pads = [rule.pads(length) for length in lengths]
    found = find_rule(lengths, pads, extent, stride)
    assert found is not None
    assert [found.pads(length) for length in lengths] == pads


@given(st.lists(st.integers(1, 200), min_size=3, max_size=6, unique=True), st.sampled_from([4, 16, 32, 64]))
def test_filling_up_to_a_multiple_is_found(lengths: list[int], multiple: int) -> None:
    pads = [(0, -length % multiple) for length in lengths]
    found = find_rule(lengths, pads)
    assert found is not None
    assert [found.pads(length) for length in lengths] == pads


def test_without_a_rule_there_is_none() -> None:
    assert find_rule([10, 11, 12], [(0, 1), (5, 0), (2, 2)]) is None
    assert find_rule([10, 11], [(0, 1), (0, 0)], extent=1, stride=1) is None


def test_constant_pads_need_no_rule() -> None:
    found = find_rule([10, 11, 12], [(1, 2)] * 3)
    assert found == SameRule(extent=1, stride=1, more=(1, 2))
    assert found.is_constant
    assert found.pads(99) == (1, 2)
