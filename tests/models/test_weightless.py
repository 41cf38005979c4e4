"""Networks without weights have the tensors of those with them, and nothing is worked out for their numbers."""

from functools import partial

import pytest
import torch
from torch import nn

from condmix.models import weightless as weightless_module
from condmix.models.blueprint import draw
from condmix.models.errors import UnknownArchitectureError
from condmix.models.weightless import needed_tensors, weightless


@pytest.mark.parametrize(
    "name", ["condconv_digits", "mixnet_digits", "ssd_condconv_shapes", "timm:efficientnet_cc_b0_4e"]
)
def test_names_shapes_and_types_are_those_of_the_network(name: str) -> None:
    built = draw(name).build().state_dict()
    found = needed_tensors(name)
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in found.items()} == {
        key: (tensor.shape, tensor.dtype) for key, tensor in built.items()
    }
    assert all(tensor.is_meta for tensor in found.values())


def test_settings_count() -> None:
    shapes = [
        {key: tensor.shape for key, tensor in needed_tensors("mixnet_digits", settings).items()}
        for settings in ((), (("num_classes", 3),))
    ]
    other = {key for key in shapes[0] if shapes[0][key] != shapes[1][key]}
    assert other == {"classifier.output.weight", "classifier.output.bias"}


def test_they_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = needed_tensors("condconv_digits")
    monkeypatch.setattr(weightless_module, "draw", None)
    assert needed_tensors("condconv_digits") is first


def test_an_unknown_name_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(UnknownArchitectureError):
            needed_tensors("mixnet_of_nobody")


@pytest.mark.parametrize(
    "fill",
    [
        partial(nn.init.normal_, std=2.0),
        partial(nn.init.kaiming_uniform_, a=1.0),
        partial(nn.init.trunc_normal_, std=0.1),
        partial(nn.init.constant_, val=3.0),
        nn.init.zeros_,
        torch.Tensor.normal_,
        torch.Tensor.zero_,
    ],
)
def test_nothing_is_drawn(fill: partial[torch.Tensor]) -> None:
    """A tensor that has memory shows it: nothing is written into it."""
    tensor = torch.full((3, 4), 7.0)
    state = torch.random.get_rng_state()
    with weightless():
        fill(tensor)
    assert torch.equal(tensor, torch.full((3, 4), 7.0))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_everything_is_as_before_afterwards() -> None:
    with weightless():
        assert torch.ones(2).is_meta
    assert torch.equal(nn.init.ones_(torch.empty(2)), torch.ones(2))
    with pytest.raises(ZeroDivisionError), weightless():
        _ = 1 / 0
    assert not torch.ones(2).is_meta
