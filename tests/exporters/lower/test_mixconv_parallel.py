"""`parallel`: Split, one convolution a kernel size, Concat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.graph.facts import constant_ints
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.mixconv_parallel import FORM
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
@given(data=st.data(), depthwise=st.booleans(), size=st.sampled_from([1, 2, 3, None]))
def test_equals_the_definition(data: st.DataObject, depthwise: bool, size: int | None) -> None:
    case: MixConvCase = data.draw(mixconv_cases(images=3, depthwise=depthwise))
    model = case.sketch().model("y")
    lowered(model, size, mixconv="parallel")
    count = size or 3
    assert_same(case.expected()[:count], run(model, {"x": case.images_nchw[:count]})["y"])


@exact_rule
@given(case=mixconv_cases())
def test_split_branches_and_concat_remain(case: MixConvCase) -> None:
    model = case.sketch().model("y")
    record = lowered(model, None, mixconv="parallel")
    assert operators(model) == {"Split": 1, "Conv": len(case.branches), "Concat": 1}
    assert constant_ints(node_of(model, "Split").inputs[1]) == tuple(branch.in_channels for branch in case.branches)
    for index, branch in enumerate(case.branches):
        assert attributes_of(node_of(model, "Conv", index)) == dict(branch.settings.attributes())
    height, width = case.output_size
    weights = sum(array.size for array in case.weights_oihw)
    assert record.multiply_adds == weights * height * width
    assert record.weight_bytes == 4 * (weights + case.out_channels)


def test_the_form_refuses_nothing() -> None:
    layer = read_mixconv(produced_by(mixconv_case().sketch().model("y"), "y"))
    assert all(FORM.refuse(layer, BatchAxis(size=size)) is None for size in (1, 3, None))


def test_branches_returned_in_another_order_would_be_noticed() -> None:
    case = mixconv_case(in_channels=(3, 3), kernels=(3, 5))
    model = case.sketch().model("y")
    lowered(model, 2, mixconv="parallel")
    concat = node_of(model, "Concat")
    for index, value in enumerate(reversed(list(concat.inputs))):
        concat.replace_input_with(index, value)
    assert_different(case.expected(), run(model, {"x": case.images_nchw})["y"])
