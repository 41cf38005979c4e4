"""`kernel`: mix, Reshape, one Conv; one image only."""

from __future__ import annotations

import onnx_ir as ir
from hypothesis import given

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.condconv_kernel import FORM
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.named.condconv import read_condconv
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
@given(case=condconv_cases())
def test_equals_the_plain_loop(case: CondConvCase) -> None:
    model = case.sketch().model("y")
    lowered(model, 1, condconv="kernel")
    assert_same(case.expected(), run(model, case.feeds)["y"])


@exact_rule
@given(case=condconv_cases())
def test_one_convolution_with_a_mixed_kernel_remains(case: CondConvCase) -> None:
    model = case.sketch().model("y")
    record = lowered(model, 1, condconv="kernel")
    has_expert_bias = case.expert_bias_eo is not None
    expected = {"MatMul": 1, "Reshape": 1 + has_expert_bias, "Conv": 1}
    assert operators(model) == expected | ({"Gemm": 1} if has_expert_bias else {})
    convolution = produced_by(model, "y")
    assert convolution is node_of(model, "Conv")
    assert attributes_of(convolution) == dict(case.conv.settings.attributes())
    height, width = case.conv.output_size
    kernel_size = case.experts_eoihw[0].size
    assert record.multiply_adds == kernel_size * height * width + case.experts_eoihw.size


def test_several_images_are_refused() -> None:
    layer = read_condconv(produced_by(condconv_case().sketch().model("y"), "y"))
    assert FORM.refuse(layer, BatchAxis(size=1)) is None
    for size in (2, None):
        assert FORM.refuse(layer, BatchAxis(size=size)) == FormRefusal(
            reason="`kernel` mixes one kernel a call: it needs --batch 1"
        )


def test_wrong_pads_would_be_noticed() -> None:
    case = condconv_case(images=1)
    model = case.sketch().model("y")
    lowered(model, 1, condconv="kernel")
    node_of(model, "Conv").attributes["pads"] = ir.AttrInt64s("pads", (2, 1, 0, 1))
    assert_different(case.expected(), run(model, case.feeds)["y"])
