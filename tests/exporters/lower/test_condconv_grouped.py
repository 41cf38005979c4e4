"""`grouped`: a fixed batch as one convolution of that many times the groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.condconv_grouped import FORM
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.named.condconv import read_condconv
from condmix.runtime.errors import SignatureMismatchError
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import (
    assert_different,
    assert_same,
    attributes_of,
    lowered,
    node_of,
    operators,
    produced_by,
    run,
)


@exact_rule
@given(case=condconv_cases(images=3), size=st.integers(1, 3))
def test_equals_the_plain_loop(case: CondConvCase, size: int) -> None:
    model = case.sketch().model("y")
    lowered(model, size, condconv="grouped")
    feeds = {name: array[:size] for name, array in case.feeds.items()}
    assert_same(case.expected()[:size], run(model, feeds)["y"])


@exact_rule
@given(case=condconv_cases(), size=st.integers(1, 3))
def test_the_batch_stands_in_the_groups(case: CondConvCase, size: int) -> None:
    model = case.sketch().model("y")
    lowered(model, size, condconv="grouped")
    has_expert_bias = case.expert_bias_eo is not None
    expected = {"MatMul": 1, "Conv": 1, "Reshape": 3 + has_expert_bias}
    assert operators(model) == expected | ({"Gemm": 1} if has_expert_bias else {})
    attributes = dict(case.conv.settings.attributes(group=size * case.conv.settings.group))
    assert attributes_of(node_of(model, "Conv")) == attributes
    assert produced_by(model, "y").op_type == "Reshape"


def test_an_unknown_batch_is_refused() -> None:
    layer = read_condconv(produced_by(condconv_case().sketch().model("y"), "y"))
    assert FORM.refuse(layer, BatchAxis(size=1)) is None
    assert FORM.refuse(layer, BatchAxis(size=4)) is None
    assert FORM.refuse(layer, BatchAxis(size=None)) == FormRefusal(
        reason="`grouped` writes the batch into Conv's group attribute: it needs a fixed --batch N"
    )


def test_kernels_given_to_the_wrong_images_would_be_noticed() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    lowered(model, 2, condconv="grouped")
    feeds = {**case.feeds, "routing": case.routing_ne[::-1].copy()}
    assert_different(case.expected(), run(model, feeds)["y"])


def test_the_file_takes_its_own_batch_only() -> None:
    case = condconv_case(images=3)
    model = case.sketch().model("y")
    lowered(model, 2, condconv="grouped")
    with pytest.raises(SignatureMismatchError):
        run(model, case.feeds)
