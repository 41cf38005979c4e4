"""Even 1x1 branches are one grouped convolution; uneven ones are refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.records import GROUPING_RULE
from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, attributes_of, node_of, operators, rewrite, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case

RULE = GroupPointwiseMixconv()


@exact_rule
@given(
    branches=st.integers(2, 5),
    group=st.integers(1, 2),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    stride=st.integers(1, 2),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=seeds,
)
def test_even_branches_become_one_convolution(
    branches: int, group: int, inputs: int, outputs: int, stride: int, size: tuple[int, int], seed: int
) -> None:
    case = mixconv_case(
        in_channels=(group * inputs,) * branches,
        out_channels=(group * outputs,) * branches,
        kernels=(1,) * branches,
        groups=(group,) * branches,
        stride=stride,
        input_size=size,
        images=1,
        seed=seed,
    )
    model = case.sketch().model("y")
    (step,) = rewrite(model, RULE)
    assert (step.rule, step.path, step.applied) == (GROUPING_RULE, "block.mix", True)
    assert step.note == f"{branches} pointwise branches as one convolution of {branches * group} groups"
    assert operators(model) == {"Conv": 1}
    assert attributes_of(node_of(model, "Conv"))["group"] == branches * group
    assert_same(case.expected(), run(model, {"x": case.images_nchw})["y"])


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (
            mixconv_case(in_channels=(3, 2), out_channels=(4, 4), kernels=(1, 1), groups=(1, 1)),
            "the 1x1 branches are uneven (inputs [3, 2], outputs [4, 4]): one grouped convolution needs even ones",
        ),
        (
            mixconv_case(in_channels=(2, 2), out_channels=(4, 2), kernels=(1, 1), groups=(1, 1)),
            "the 1x1 branches are uneven (inputs [2, 2], outputs [4, 2]): one grouped convolution needs even ones",
        ),
        (
            mixconv_case(in_channels=(2, 2), out_channels=(2, 2), kernels=(1, 1), groups=(1, 2)),
            "the 1x1 branches differ in padding, stride or groups",
        ),
    ],
)
def test_uneven_branches_are_refused(case: MixConvCase, reason: str) -> None:
    model = case.sketch().model("y")
    (step,) = rewrite(model, RULE)
    assert (step.applied, step.note) == (False, reason)
    assert operators(model) == {"MixConv2": 1}


def test_larger_kernels_are_not_its_business() -> None:
    for kernels in ((3, 3), (1, 3)):
        model = mixconv_case(in_channels=(2, 2), kernels=kernels).sketch().model("y")
        assert rewrite(model, RULE) == ()


def test_weights_of_another_group_would_be_noticed() -> None:
    case = mixconv_case(in_channels=(2, 2), out_channels=(3, 3), kernels=(1, 1), groups=(1, 1), images=1)
    swapped = replace(case, weights_oihw=case.weights_oihw[::-1])
    model = swapped.sketch().model("y")
    rewrite(model, RULE)
    assert_different(case.expected(), run(model, {"x": case.images_nchw})["y"])
    np.testing.assert_array_equal(case.biases_o[0], swapped.biases_o[0])
