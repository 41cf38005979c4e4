"""Other branches for the same MixConv: any cuts of a depthwise layer compute the same."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.lower.mixconv_recut import cut_problem, recut, sliced
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv, read_mixconv
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_different, assert_same, lower_with, node_of, operators, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases


def layer_of(model: ir.Model) -> MixConvLayer:
    return read_mixconv(next(node for node in model.graph if is_mixconv(node)))


@exact_rule
@given(data=st.data(), case=mixconv_cases(images=2), size=st.sampled_from([1, 2, None]))
def test_any_cuts_equal_the_definition(data: st.DataObject, case: MixConvCase, size: int | None) -> None:
    places = st.lists(st.integers(1, case.channels - 1), min_size=1, max_size=4, unique=True)
    cuts = sorted(data.draw(places))
    model = case.sketch().model("y")
    form = f"parallel@{','.join(map(str, cuts))}"
    record = lower_with(model, size, {"block.mix": form})
    assert record.form == form
    count = size or 2
    assert_same(case.expected()[:count], run(model, {"x": case.images_nchw[:count]})["y"])
    assert operators(model)["Conv"] == len(cuts) + 1


def test_a_small_kernel_moves_into_the_larger_one_among_zeros() -> None:
    case = mixconv_case(in_channels=(5, 4), kernels=(3, 5))
    layer = recut(layer_of(case.sketch().model("y")), (4,))
    first, second = layer.branches
    assert [branch.in_channels for branch in layer.branches] == [4, 5]
    assert (first.settings.kernel, second.settings.kernel) == ((3, 3), (5, 5))
    np.testing.assert_array_equal(first.weight_oihw, case.weights_oihw[0][:4])
    np.testing.assert_array_equal(second.weight_oihw[0, 0, 1:4, 1:4], case.weights_oihw[0][4, 0])
    assert np.count_nonzero(second.weight_oihw[0]) == 9
    np.testing.assert_array_equal(second.weight_oihw[1:], case.weights_oihw[1])
    np.testing.assert_array_equal(second.bias_o, np.concatenate([case.biases_o[0][4:], case.biases_o[1]]))


def test_the_record_counts_what_was_written() -> None:
    model = mixconv_case(in_channels=(5, 4), kernels=(3, 5)).sketch().model("y")
    record = lower_with(model, 1, {"block.mix": "parallel@4"})
    assert record.multiply_adds == (4 * 9 + 5 * 25) * 72
    assert record.details["split"] == (5, 4)


def test_a_slice_is_a_branch_of_its_own() -> None:
    branch = layer_of(mixconv_case().sketch().model("y")).branches[2]
    part = sliced(branch, 1, 3)
    assert (part.in_channels, part.out_channels, part.settings.group, part.is_depthwise) == (2, 2, 2, True)
    np.testing.assert_array_equal(part.weight_oihw, branch.weight_oihw[1:3])


@pytest.mark.parametrize("cuts", [(0,), (9,), (3, 3), (5, 2), (12,)])
def test_cuts_that_leave_a_piece_empty_are_refused(cuts: tuple[int, ...]) -> None:
    shown = ",".join(map(str, cuts))
    assert cut_problem(layer_of(mixconv_case().sketch().model("y")), cuts) == (
        f"the cuts {shown} must rise and lie between 0 and its 9 channels"
    )


def test_branches_that_mix_channels_are_refused() -> None:
    mixing = mixconv_case(in_channels=(2, 4), out_channels=(4, 2), kernels=(3, 5), groups=(1, 2))
    assert cut_problem(layer_of(mixing.sketch().model("y")), (3,)) == (
        "only depthwise branches can be cut elsewhere: these mix channels"
    )


def test_a_kernel_at_the_wrong_place_would_be_noticed() -> None:
    case = mixconv_case(in_channels=(5, 4), kernels=(3, 5))
    model = case.sketch().model("y")
    lower_with(model, None, {"block.mix": "parallel@4"})
    node = node_of(model, "Conv", 1)
    weight = node.inputs[1]
    assert weight is not None
    assert weight.const_value is not None
    moved = np.roll(weight.const_value.numpy(), 1, axis=-1)
    weight.const_value = ir.tensor(moved)
    assert_different(case.expected(), run(model, {"x": case.images_nchw})["y"])
