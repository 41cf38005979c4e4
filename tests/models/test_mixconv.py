"""MixConv: partitions as the paper and the released code have them, layers as the definition says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from condmix.models.errors import SettingsError
from condmix.models.mixconv import (
    KERNEL_SIZES,
    MixConv2d,
    MixPointwise2d,
    Partition,
    equal_partition,
    exponential_partition,
    partition_channels,
)
from condmix.models.padding import same_padding
from condmix.models.reference import mixconv_reference


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("channels", "groups", "shares"),
    [(32, 4, (8, 8, 8, 8)), (32, 5, (8, 6, 6, 6, 6)), (10, 3, (4, 3, 3)), (7, 1, (7,))],
)
def test_equal_groups_leave_the_remainder_to_the_first(channels: int, groups: int, shares: tuple[int, ...]) -> None:
    assert equal_partition(channels, groups) == shares


@pytest.mark.parametrize(
    ("channels", "groups", "shares"),
    [(32, 4, (16, 8, 4, 4)), (32, 2, (16, 16)), (10, 4, (6, 2, 1, 1)), (7, 1, (7,))],
)
def test_exponential_groups_halve(channels: int, groups: int, shares: tuple[int, ...]) -> None:
    assert exponential_partition(channels, groups) == shares


@settings(deadline=None, derandomize=True, max_examples=200)
@given(channels=st.integers(16, 2000), groups=st.integers(1, 5))
def test_partitions_lose_no_channel(channels: int, groups: int) -> None:
    equal, exponential = equal_partition(channels, groups), exponential_partition(channels, groups)
    assert sum(equal) == sum(exponential) == channels
    assert len(equal) == len(exponential) == groups
    assert equal[0] - equal[-1] < groups
    assert list(exponential) == sorted(exponential, reverse=True)


def test_an_empty_group_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SettingsError) as caught:
        partition_channels(8, 5, "exponential")
    assert str(caught.value) == (
        "MixConv: channels is 8, too few for groups = 5 with partition = 'exponential' (groups of "
        "(5, 2, 1, 0, 0)); use fewer groups or more channels"
    )


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(16, 21),
    sizes=st.lists(st.sampled_from(KERNEL_SIZES), min_size=1, max_size=5, unique=True).map(sorted),
    stride=st.integers(1, 3),
    partition=st.sampled_from(["equal", "exponential"]),
    dilated=st.booleans(),
    same=st.booleans(),
    height=st.integers(7, 14),
    width=st.integers(7, 14),
)
def test_mixed_layer_equals_the_reference(
    batch: int,
    channels: int,
    sizes: list[int],
    stride: int,
    partition: Partition,
    dilated: bool,
    same: bool,
    height: int,
    width: int,
) -> None:
    made = MixConv2d(
        channels,
        sizes,
        stride=stride,
        partition=partition,
        dilated=dilated,
        padding="same" if same else "symmetric",
    ).double()
    x = random(batch, channels, height, width)
    pads, dilations = [], []
    for size in sizes:
        if same:
            vertical, horizontal = same_padding(height, size, stride), same_padding(width, size, stride)
        else:
            vertical = horizontal = (size // 2, size // 2)
        pads.append((*vertical, *horizontal))
        dilations.append((size - 1) // 2 if dilated and stride == 1 else 1)
    weights = [branch.weight for branch in made.branches]
    expected_side = 3 if dilated and stride == 1 else None
    for size, weight in zip(sizes, weights, strict=True):
        assert weight.shape[2:] == (expected_side or size,) * 2
    expected = mixconv_reference(x, weights, stride=stride, pads=pads, dilations=dilations)
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes", [(), (4,), (3, 3), (5, 3), (13,), (1, 3)])
def test_kernel_sizes_outside_the_paper_are_an_error(sizes: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match=r"expected rising sizes out of \(3, 5, 7, 9, 11\)"):
        MixConv2d(32, sizes)


def test_two_even_groups_are_one_grouped_convolution() -> None:
    made = MixPointwise2d(8, 12, groups=2).double()
    grouped = nn.Conv2d(8, 12, 1, groups=2, bias=False).double()
    with torch.no_grad():
        grouped.weight.copy_(torch.cat([branch.weight for branch in made.branches]))
    x = random(2, 8, 3, 3)
    torch.testing.assert_close(made(x), grouped(x), rtol=0, atol=1e-12)


def test_uneven_groups_split_inputs_and_outputs_alike() -> None:
    made = MixPointwise2d(5, 7, groups=2)
    assert made.splits == (3, 2)
    assert made.out_splits == (4, 3)
    assert made(torch.zeros(1, 5, 2, 2)).shape == (1, 7, 2, 2)


def test_a_group_never_sees_the_other_groups_channels() -> None:
    made = MixPointwise2d(8, 8, groups=2).double()
    x = random(1, 8, 2, 2)
    changed = x.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(made(changed)[:, :4], made(x)[:, :4], rtol=0, atol=0)
    assert (made(changed)[:, 4:] - made(x)[:, 4:]).abs().max() > 0
