"""Attentions move out of the kernel exactly, whichever there are, in every style, at any stride, dilation and group."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.recognise import recognise
from condmix.exporters.recognise.condconv import find_condconv
from condmix.exporters.recognise.finding import Declined
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from tests.exporters.conv_cases import ConvCase, exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, node_of, operators, run
from tests.exporters.recognise.omni_graphs import OmniCase

SETTINGS = ConvSettings(kernel=(3, 3), strides=(2, 1), pads=(1, 0, 2, 1), dilations=(1, 2), group=1)
DENSE = ConvCase(in_channels=4, out_channels=6, settings=SETTINGS, input_size=(9, 8))
DEPTHWISE = dataclasses.replace(
    DENSE, in_channels=6, settings=dataclasses.replace(SETTINGS, strides=(1, 1), dilations=(1, 1), group=6)
)
ALL = ("in", "taps", "out")


@st.composite
def omni_cases(draw: st.DrawFn) -> OmniCase:
    """Kernels of every kind that the algebra takes: no attention of grouped input channels."""
    kernel = draw(st.sampled_from([(1, 1), (2, 3), (3, 3)]))
    group = draw(st.sampled_from([1, 1, 2]))
    settings = ConvSettings(
        kernel=kernel,
        strides=draw(st.sampled_from([(1, 1), (2, 1), (2, 2)])),
        pads=draw(st.tuples(*[st.integers(0, 2)] * 4)),
        dilations=draw(st.sampled_from([(1, 1), (1, 2)])),
        group=group,
    )
    conv = ConvCase(in_channels=2 * group, out_channels=5 * group, settings=settings, input_size=(7, 8))
    offered = [name for name in ALL if not (name == "in" and group > 1) and not (name == "taps" and kernel == (1, 1))]
    factors = draw(st.lists(st.sampled_from(offered), unique=True, min_size=1))
    return OmniCase(
        conv=conv,
        experts=draw(st.integers(2, 4)),
        factors=tuple(factors),
        factors_first=draw(st.booleans()),
        bias=draw(st.booleans()),
        seed=draw(seeds) % 2**31,
    )


@exact_rule
@given(case=omni_cases())
def test_a_kernel_of_attentions_becomes_an_equal_condconv(case: OmniCase) -> None:
    model = case.model()
    before = run(model, case.arrays())["y"]
    run_rules(model, TIDY_RULES)
    (layer,) = recognise(model).layers
    assert layer.recognised, layer.why
    assert operators(model)["CondConv"] == 1
    assert "Conv" not in operators(model)
    assert_same(before, run(model, case.arrays())["y"])


def test_another_order_of_taps_would_be_seen() -> None:
    case = OmniCase(conv=DENSE, experts=3, factors=ALL, factors_first=True, bias=True, seed=1)
    model = case.model()
    before = run(model, case.arrays())["y"]
    recognise(model)
    joined = node_of(model, "Concat")
    first, second = joined.inputs[:2]
    joined.replace_input_with(0, second)
    joined.replace_input_with(1, first)
    assert_different(before, run(model, case.arrays())["y"])


def test_the_proof_names_every_vector() -> None:
    case = OmniCase(conv=DENSE, experts=3, factors=ALL, factors_first=True, bias=False, seed=1)
    (finding,) = find_condconv(case.model())
    assert not isinstance(finding, Declined)
    assert finding.routing_names == ("r_gate",)
    for said in ("'in_gate' scales its input channels", "'taps_gate' scales its taps", "'out_gate' scales its output"):
        assert said in finding.proof


def test_dense_layers_keep_their_experts_and_depthwise_ones_multiply_them_out() -> None:
    shapes = {}
    for name, conv in (("dense", DENSE), ("depthwise", DEPTHWISE)):
        model = OmniCase(conv=conv, experts=3, factors=("taps",), factors_first=True, bias=False, seed=1).model()
        recognise(model)
        bank = node_of(model, "CondConv").inputs[2]
        assert bank is not None
        assert bank.shape is not None
        shapes[name] = tuple(bank.shape)
    assert shapes == {"dense": (3, 6, 36, 1, 1), "depthwise": (27, 6, 1, 3, 3)}


@pytest.mark.parametrize(
    ("experts", "channels", "factors", "said"),
    [
        (3, 4, ("in",), "its input channels are in 2 groups"),
        (120, 8, ("taps",), "its 9 taps times 120 experts are too many kernels for 2 groups"),
    ],
)
def test_groups_that_stand_in_the_way_are_named(
    experts: int, channels: int, factors: tuple[str, ...], said: str
) -> None:
    conv = ConvCase(
        in_channels=channels, out_channels=6, settings=dataclasses.replace(SETTINGS, group=2), input_size=(9, 8)
    )
    model = OmniCase(conv=conv, experts=experts, factors=factors, factors_first=True, bias=False, seed=1).model()
    (finding,) = find_condconv(model)
    assert isinstance(finding, Declined)
    assert finding.reason == f"{said}: an attention of that axis is not moved out of the kernel"
