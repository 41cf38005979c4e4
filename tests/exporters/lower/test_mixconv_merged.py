"""`merged`: all kernels in one among zeros, whatever their pads, dilations and the rows they leave unseen."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.mixconv_merged import FORM, merged_settings, merged_weight
from condmix.exporters.named.mixconv import read_mixconv
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
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases


@exact_rule
@given(case=mixconv_cases(images=3), size=st.sampled_from([1, 2, 3, None]))
def test_equals_the_definition(case: MixConvCase, size: int | None) -> None:
    model = case.sketch().model("y")
    record = lowered(model, size, mixconv="merged")
    count = size or 3
    assert_same(case.expected()[:count], run(model, {"x": case.images_nchw[:count]})["y"])
    assert operators(model) == {"Conv": 1}
    kernel = constant(node_of(model, "Conv").inputs[1])
    assert kernel is not None
    assert record.multiply_adds == kernel.size * int(np.prod(case.output_size))


def test_symmetric_kernels_meet_in_the_centre() -> None:
    case = mixconv_case(in_channels=(2, 3), kernels=(3, 5))
    layer = read_mixconv(produced_by(case.sketch().model("y"), "y"))
    settings = merged_settings(layer)
    assert (settings.kernel, settings.pads, settings.group) == ((5, 5), (2, 2, 2, 2), 5)
    weight = merged_weight(layer, settings)
    assert weight.shape == (5, 1, 5, 5)
    np.testing.assert_array_equal(weight[:2, :, 1:4, 1:4], case.weights_oihw[0])
    assert np.count_nonzero(weight[:2]) == case.weights_oihw[0].size
    np.testing.assert_array_equal(weight[2:], case.weights_oihw[1])


def test_the_settings_are_those_of_the_file() -> None:
    case = mixconv_case(stride=2)
    model = case.sketch().model("y")
    settings = merged_settings(read_mixconv(produced_by(model, "y")))
    lowered(model, None, mixconv="merged")
    assert attributes_of(node_of(model, "Conv")) == dict(settings.attributes())


def test_branches_that_mix_channels_are_refused() -> None:
    case = mixconv_case(in_channels=(2, 4), out_channels=(4, 2), kernels=(3, 5), groups=(1, 2))
    layer = read_mixconv(produced_by(case.sketch().model("y"), "y"))
    assert FORM.refuse(layer, BatchAxis(size=1)) == FormRefusal(
        reason="`merged` needs depthwise branches: these mix channels"
    )
    depthwise = read_mixconv(produced_by(mixconv_case().sketch().model("y"), "y"))
    assert FORM.refuse(depthwise, BatchAxis(size=None)) is None


def test_a_kernel_off_by_one_row_would_be_noticed() -> None:
    case = mixconv_case(images=1)
    model = case.sketch().model("y")
    lowered(model, 1, mixconv="merged")
    node = node_of(model, "Conv")
    node.attributes["pads"] = ir.AttrInt64s("pads", (2, 3, 4, 3))
    assert_different(case.expected(), run(model, {"x": case.images_nchw})["y"])
