"""The forms of a site: the written rule's first, all others exact, and what is left out with its reason."""

from __future__ import annotations

import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import CHANNEL_BLOCK
from condmix.exporters.lower.mixconv_recut import cut_problem
from condmix.exporters.named.mixconv import MixConvLayer, read_mixconv
from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv
from condmix.exporters.tune.candidates import Candidate, choices_of, cut_lists, describe, mixconv_forms
from condmix.exporters.tune.sites import find_sites
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import produced_by, rewrite
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

ONE = BatchAxis(size=1)


def layer(channels: tuple[int, ...], kernels: tuple[int, ...]) -> MixConvLayer:
    model = mixconv_case(in_channels=channels, kernels=kernels).sketch().model("y")
    return read_mixconv(produced_by(model, "y"))


def test_a_dense_condconv_at_one_image() -> None:
    model = condconv_case(in_channels=4, out_channels=6).sketch().model("y")
    choices = choices_of(find_sites(model.graph)[0], ONE)
    assert [one.name for one in choices.candidates] == ["kernel", "matmul", "experts"]
    assert choices.table.name == "kernel"
    assert dict(choices.left_out) == {"grouped": "one image: the same convolution as `kernel`"}


def test_many_experts_of_a_dense_layer_are_not_worth_a_measurement() -> None:
    model = condconv_case(in_channels=4, out_channels=6, experts=8, input_size=(20, 20)).sketch().model("y")
    left_out = dict(choices_of(find_sites(model.graph)[0], ONE).left_out)
    assert left_out["experts"] == "7.8 times the multiply-adds of a kernel mixed once"


@pytest.mark.parametrize(
    ("size", "names"), [(1, ["experts", "kernel"]), (2, ["experts", "grouped"]), (None, ["experts"])]
)
def test_the_batch_refuses_some(size: int | None, names: list[str]) -> None:
    model = condconv_case(in_channels=6, group=6).sketch().model("y")
    found = choices_of(find_sites(model.graph)[0], BatchAxis(size=size))
    assert [one.name for one in found.candidates] == names
    assert set(dict(found.left_out)) == {"kernel", "grouped", "matmul", "experts"} - set(names)


def test_a_split_mixconv_without_an_expansion_is_merged_in_part() -> None:
    assert list(mixconv_forms(layer((20, 20, 20), (3, 5, 7)))) == [
        "parallel",
        "merged",
        "parallel@16,32",
        "parallel@32",
        "parallel@16",
    ]


def test_branches_that_mix_channels_have_one_form() -> None:
    model = mixconv_case(in_channels=(2, 4), out_channels=(4, 2), kernels=(3, 5), groups=(1, 2)).sketch().model("y")
    assert list(mixconv_forms(read_mixconv(produced_by(model, "y")))) == ["parallel"]
    assert len(choices_of(find_sites(model.graph)[0], ONE).candidates) == 1


@given(
    channels=st.lists(st.integers(1, 70), min_size=2, max_size=5),
    kernels=st.lists(st.sampled_from([3, 5, 7, 9]), min_size=5, max_size=5),
)
def test_cuts_fill_blocks_and_can_be_made(channels: list[int], kernels: list[int]) -> None:
    one = layer(tuple(channels), tuple(kernels[: len(channels)]))
    lists = cut_lists(one)
    assert len(set(lists)) == len(lists)
    for cuts in lists:
        assert cut_problem(one, cuts) is None
        assert all(cut % CHANNEL_BLOCK == 0 for cut in cuts)


def test_channels_move_to_the_larger_kernel_only() -> None:
    assert cut_lists(layer((20, 20), (3, 5))) == ((16,),)
    assert cut_lists(layer((20, 20), (5, 3))) == ((32,),)
    assert cut_lists(layer((16, 16), (3, 5))) == ()


def test_a_grouped_expansion_and_its_mixconv_are_chosen_together() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 9, 8))
    expand = mixconv_case(in_channels=(2, 2), out_channels=(16, 16), kernels=(1, 1), groups=(1, 1))
    expand.add_to(sketch, "x", "expanded", module="expand")
    mixconv_case(in_channels=(16, 16), kernels=(3, 5)).add_to(sketch, "expanded", "y", module="mix")
    model = sketch.model("y")
    rewrite(model, GroupPointwiseMixconv())
    (site,) = find_sites(model.graph)
    names = {one.name for one in choices_of(site, ONE).candidates}
    assert names == {f"{one} + {two}" for one in ("grouped_conv", "dense") for two in ("hoisted", "merged")}
    assert describe(site.nodes[0]) == "MixConv of 2 1x1 4>32 at 9x8"
    assert describe(site.nodes[1]) == "MixConv 3,5 of 32 channels at 9x8"


def test_a_grouped_layer_alone_may_be_split() -> None:
    model = mixconv_case(in_channels=(2, 2), out_channels=(3, 3), kernels=(1, 1), groups=(1, 1)).sketch().model("y")
    rewrite(model, GroupPointwiseMixconv())
    found = choices_of(find_sites(model.graph)[0], ONE)
    assert [one.name for one in found.candidates] == ["grouped_conv", "dense", "parallel"]


def test_words(rewritten: ir.Model) -> None:
    first, second, *_ = find_sites(rewritten.graph)
    assert describe(first.nodes[0]).startswith("CondConv 3x3 6>8 at ")
    assert describe(second.nodes[0]).startswith("CondConv depthwise 3x3 8>8 at ")
    assert Candidate(forms=("dense", "hoisted@16")).name == "dense + hoisted@16"
