"""CondConv: the batch-in-groups form computes what the definition says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from condmix.models.condconv import CondConv2d, RoutedCondConv2d, Routing
from condmix.models.errors import SettingsError
from condmix.models.padding import same_padding
from condmix.models.reference import condconv_reference


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(*arguments: int, seed: int = 1, **choices: object) -> CondConv2d:
    made = CondConv2d(*arguments, **choices).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(random(*parameter.shape, seed=seed))
    return made


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    batch=st.integers(1, 5),
    experts=st.integers(1, 6),
    groups=st.sampled_from([1, 2, 3, 6]),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(13, 17), st.integers(13, 17)),
    padding=st.one_of(st.sampled_from(["symmetric", "same"]), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    bias=st.booleans(),
)
def test_fast_form_equals_the_reference(
    batch: int,
    experts: int,
    groups: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    padding: str | tuple[int, int],
    bias: bool,
) -> None:
    made = layer(
        6,
        12,
        kernel,  # type: ignore[arg-type]
        experts=experts,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    x, routing = random(batch, 6, *size, seed=2), torch.sigmoid(random(batch, experts, seed=3))
    if padding == "same":
        vertical, horizontal = (same_padding(size[axis], kernel[axis], stride[axis], dilation[axis]) for axis in (0, 1))
    elif padding == "symmetric":
        vertical, horizontal = ((dilation[axis] * (kernel[axis] - 1) // 2,) * 2 for axis in (0, 1))
    else:
        vertical, horizontal = ((int(padding[axis]),) * 2 for axis in (0, 1))
    expected = condconv_reference(
        x,
        routing,
        made.weight_eoihw,
        made.bias_eo,
        stride=stride,
        pads=(*vertical, *horizontal),
        dilation=dilation,
        groups=groups,
    )
    torch.testing.assert_close(made(x, routing), expected, rtol=1e-12, atol=1e-11)


def test_the_comparison_notices_swapped_gates_of_two_images() -> None:
    made = layer(4, 4, 3, experts=3)
    x, routing = random(2, 4, 6, 6), torch.sigmoid(random(2, 3, seed=3))
    expected = condconv_reference(x, routing.flip(0), made.weight_eoihw, pads=(1, 1, 1, 1))
    assert (made(x, routing) - expected).abs().max() > 0.1


def test_channels_last_input_is_taken() -> None:
    made = layer(4, 6, 3, experts=2, stride=2)
    x, routing = random(3, 4, 8, 8), torch.sigmoid(random(3, 2, seed=3))
    laid_out = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(made(laid_out, routing), made(x, routing), rtol=0, atol=1e-12)


def test_one_open_gate_is_that_expert_alone() -> None:
    made = layer(4, 6, 3, experts=3)
    x = random(1, 4, 7, 7)
    alone = torch.nn.functional.conv2d(x, made.weight_eoihw[1], padding=1)
    answer = made(x, torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(answer, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (2,)])
def test_gates_of_another_shape_are_an_error(shape: tuple[int, ...]) -> None:
    made = layer(4, 4, 3, experts=3)
    with pytest.raises(ValueError, match=r"gates have shape .*expected \(batch, experts\) = \(2, 3\)"):
        made(random(2, 4, 5, 5), random(*shape))


def test_all_wrong_numbers_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        CondConv2d(5, 6, 0, experts=0, groups=2)
    assert caught.value.problems == (
        "experts is 0, expected at least 1",
        "kernel_size is 0, expected at least 1",
        "kernel_size is 0, expected at least 1",
        "in_channels is 5, which groups = 2 does not divide",
    )


def test_each_expert_is_drawn_as_an_ordinary_convolution() -> None:
    torch.manual_seed(0)
    made = CondConv2d(64, 64, 3, experts=32, bias=True)
    for expert in made.weight_eoihw:
        assert expert.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)
    assert made.bias_eo is not None
    assert not made.bias_eo.any()


@pytest.mark.parametrize("bias", [True, False])
def test_routing_is_the_sigmoid_of_a_linear_map_of_the_pooled_input(bias: bool) -> None:
    routing = Routing(4, 3, bias=bias).double()
    x = random(2, 4, 5, 6)
    logits = x.mean((2, 3)) @ routing.linear.weight.T
    if bias:
        logits = logits + routing.linear.bias
    torch.testing.assert_close(routing(x), 1 / (1 + torch.exp(-logits)), rtol=0, atol=1e-12)
    assert (routing.linear.bias is not None) == bias


def test_a_routed_layer_uses_its_own_input() -> None:
    routed = RoutedCondConv2d(layer(4, 6, 3, experts=2)).double()
    x = random(2, 4, 5, 5)
    torch.testing.assert_close(routed(x), routed.convolution(x, routed.routing(x)), rtol=0, atol=0)


def test_the_printed_layer_says_what_shapes_do_not() -> None:
    printed = repr(CondConv2d(4, 6, 3, experts=2, stride=2, padding="same", groups=2))
    assert printed == (
        "CondConv2d(4, 6, kernel_size=(3, 3), experts=2, stride=(2, 2), padding=same, dilation=(1, 1), groups=2)"
    )
