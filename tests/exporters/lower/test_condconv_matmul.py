"""`matmul`: one batched product a layer, with the taps of larger kernels gathered as rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.condconv_matmul import FORM
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.named.condconv import read_condconv
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, lowered, node_of, operators, produced_by, run


@exact_rule
@given(case=condconv_cases(images=3, depthwise=False), size=st.sampled_from([1, 2, 3, None]))
def test_equals_the_plain_loop(case: CondConvCase, size: int | None) -> None:
    model = case.sketch().model("y")
    lowered(model, size, condconv="matmul")
    count = size or 3
    feeds = {name: array[:count] for name, array in case.feeds.items()}
    assert_same(case.expected()[:count], run(model, feeds)["y"])


@exact_rule
@given(case=condconv_cases(images=2, pointwise=True, depthwise=False), size=st.sampled_from([2, None]))
def test_a_pointwise_layer_equals_the_plain_loop(case: CondConvCase, size: int | None) -> None:
    model = case.sketch().model("y")
    lowered(model, size, condconv="matmul")
    assert_same(case.expected(), run(model, case.feeds)["y"])
    assert "Concat" not in operators(model)


def test_a_plain_pointwise_layer_is_two_products() -> None:
    case = condconv_case(kernel=(1, 1))
    model = case.sketch().model("y")
    lowered(model, None, condconv="matmul")
    assert operators(model) == {"MatMul": 2, "Reshape": 3, "Add": 1}
    assert produced_by(model, "y").op_type == "Add"


def test_a_larger_kernel_gathers_its_taps_and_needs_no_convolution() -> None:
    case = condconv_case(kernel=(3, 2), expert_bias=True)
    model = case.sketch().model("y")
    record = lowered(model, None, condconv="matmul")
    kinds = operators(model)
    assert (kinds["Pad"], kinds["Slice"], kinds["Concat"]) == (1, 6, 1)
    assert kinds["Conv"] == 0
    assert record.form == "matmul"


def test_a_depthwise_layer_is_refused() -> None:
    case = condconv_case(in_channels=6, group=6)
    layer = read_condconv(produced_by(case.sketch().model("y"), "y"))
    assert FORM.refuse(layer, BatchAxis(size=1)) == FormRefusal(
        reason="`matmul` needs a dense kernel: this layer is depthwise (use experts or grouped)"
    )
    dense = read_condconv(produced_by(condconv_case().sketch().model("y"), "y"))
    assert FORM.refuse(dense, BatchAxis(size=None)) is None


def test_taps_in_another_order_would_be_noticed() -> None:
    case = condconv_case()
    model = case.sketch().model("y")
    lowered(model, None, condconv="matmul")
    gather = node_of(model, "Concat")
    for index, value in enumerate(reversed(list(gather.inputs))):
        gather.replace_input_with(index, value)
    assert_different(case.expected(), run(model, case.feeds)["y"])


def test_the_bank_holds_the_same_numbers_as_the_experts() -> None:
    case = condconv_case(kernel=(3, 3))
    model = case.sketch().model("y")
    record = lowered(model, None, condconv="matmul")
    assert record.weight_bytes == case.experts_eoihw.nbytes + case.bias_o.nbytes
    stored = [value.const_value.numpy() for value in model.graph.initializers.values() if value.const_value is not None]
    bank = next(array for array in stored if array.size == case.experts_eoihw.size)
    np.testing.assert_array_equal(np.sort(bank, axis=1), np.sort(case.experts_eoihw.reshape(3, -1), axis=1))
