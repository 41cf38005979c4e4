"""The oracle agrees with values worked out by hand, so that the fast layers are not tested against themselves."""

import pytest
import torch

from condmix.models.reference import condconv_reference, mixconv_reference


def test_condconv_weighs_experts_per_image() -> None:
    x = torch.tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]])
    routing = torch.tensor([[1.0, 0.5], [0.0, 2.0]])
    weight_eoihw = torch.tensor([10.0, 100.0]).reshape(2, 1, 1, 1, 1)
    bias_eo = torch.tensor([[1.0], [2.0]])
    answer = condconv_reference(x, routing, weight_eoihw, bias_eo)
    # First image: kernel 10 + 50, bias 1 + 1. Second: kernel 200, bias 4.
    assert answer.flatten().tolist() == [62.0, 122.0, 604.0, 804.0]


def test_condconv_pads_top_bottom_left_right() -> None:
    x = torch.ones(1, 1, 1, 1)
    weight_eoihw = torch.arange(6.0).reshape(1, 1, 1, 2, 3)
    # One row above and two columns to the left: the only pixel lies under the last element.
    answer = condconv_reference(x, torch.ones(1, 1), weight_eoihw, pads=(1, 0, 2, 0))
    assert answer.flatten().tolist() == [5.0]


def test_condconv_without_experts_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are no experts"):
        condconv_reference(torch.ones(1, 1, 1, 1), torch.ones(1, 0), torch.ones(0, 1, 1, 1, 1))


def test_mixconv_gives_each_channel_its_own_kernel() -> None:
    x = torch.arange(1.0, 4.0).reshape(1, 3, 1, 1)
    small = torch.tensor([[[[10.0]]], [[[100.0]]]])
    wide = torch.tensor([[[[7.0, 1000.0, 7.0]]]])
    answer = mixconv_reference(x, [small, wide], pads=[(0, 0, 0, 0), (0, 0, 1, 1)], dilations=[1, 1])
    assert answer.flatten().tolist() == [10.0, 200.0, 3000.0]
