"""`experts`: static convolutions of weighted images add up to the CondConv, at any batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.condconv_experts import FORM
from condmix.exporters.named.condconv import read_condconv
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, attributes_of, lowered, operators, produced_by, run


@exact_rule
@given(case=condconv_cases(images=3), size=st.sampled_from([1, 2, 3, None]))
def test_equals_the_plain_loop(case: CondConvCase, size: int | None) -> None:
    model = case.sketch().model("y")
    lowered(model, size, condconv="experts")
    count = size or 3
    feeds = {name: array[:count] for name, array in case.feeds.items()}
    assert_same(case.expected()[:count], run(model, feeds)["y"])


@exact_rule
@given(case=condconv_cases())
def test_every_kernel_is_stored_and_no_bias_is_added_twice(case: CondConvCase) -> None:
    model = case.sketch().model("y")
    record = lowered(model, None, condconv="experts")
    experts = len(case.experts_eoihw)
    kinds = operators(model)
    assert (kinds["Split"], kinds["Conv"], kinds["Mul"]) == (1, experts, experts)
    assert kinds["Add"] == experts - 1 + (case.expert_bias_eo is not None)
    convolutions = [node for node in model.graph if node.op_type == "Conv"]
    for expert, node in enumerate(convolutions):
        assert attributes_of(node) == dict(case.conv.settings.attributes())
        kernel = constant(node.inputs[1])
        assert kernel is not None
        np.testing.assert_array_equal(kernel, case.experts_eoihw[expert])
    assert [len(node.inputs) for node in convolutions] == [3 if case.bias_o.any() else 2] + [2] * (experts - 1)
    positions = int(np.prod(case.conv.output_size))
    assert record.multiply_adds == case.experts_eoihw.size * positions
    assert produced_by(model, "y").op_type == ("Add" if kinds["Add"] else "Conv")


def test_the_form_refuses_nothing() -> None:
    case = condconv_case()
    layer = read_condconv(produced_by(case.sketch().model("y"), "y"))
    assert all(FORM.refuse(layer, BatchAxis(size=size)) is None for size in (1, 2, None))


def test_experts_in_another_order_would_be_noticed() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    lowered(model, None, condconv="experts")
    feeds = {**case.feeds, "routing": case.routing_ne[:, ::-1].copy()}
    assert_different(case.expected(), run(model, feeds)["y"])
