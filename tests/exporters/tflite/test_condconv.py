"""CondConv in every form and with every bank equals the plain loop over images and experts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.tflite.mixing import HYBRID_VERSION
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import FLOAT32_LIMIT, assert_different, assert_same, rounding_error, with_batch
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import (
    assert_file_gives,
    counted,
    open_file,
    operator_names,
    options_of,
    read_back,
    results,
    written,
)

INT8_LIMIT = 0.01
"""Of the largest element: experts of 8 bits, and routing of 8 bits in the hybrid product."""


def filed(case: CondConvCase, images: int = 1, *, form: str = "auto", bank: str = "float32") -> bytes:
    model = case.sketch().model("y")
    with_batch(model, images)
    return written(model, form=form, bank=bank)


def taken(case: CondConvCase, images: int) -> CondConvCase:
    """The first images only."""
    return replace(case, images_nchw=case.images_nchw[:images], routing_ne=case.routing_ne[:images])


def check(case: CondConvCase, *, form: str = "auto") -> bytes:
    content = filed(case, len(case.images_nchw), form=form)
    assert_file_gives(content, case.feeds, {"y": case.expected()})
    return content


@exact_rule
@given(case=condconv_cases(images=3, depthwise=False), images=st.sampled_from([1, 3]))
def test_a_dense_layer_equals_the_plain_loop(case: CondConvCase, images: int) -> None:
    content = check(taken(case, images))
    assert counted(content)["CONV_2D"] == 0


@exact_rule
@given(case=condconv_cases(images=3, depthwise=True), images=st.sampled_from([1, 3]))
def test_a_depthwise_layer_equals_the_plain_loop(case: CondConvCase, images: int) -> None:
    content = check(taken(case, images))
    assert counted(content)["DEPTHWISE_CONV_2D"] == images


@exact_rule
@given(case=condconv_cases(images=3, pointwise=True), images=st.sampled_from([1, 3]))
def test_a_pointwise_layer_equals_the_plain_loop(case: CondConvCase, images: int) -> None:
    check(taken(case, images))


@exact_rule
@given(case=condconv_cases(images=3), images=st.sampled_from([1, 3]))
def test_the_form_of_static_experts_equals_the_plain_loop(case: CondConvCase, images: int) -> None:
    content = check(taken(case, images), form="experts")
    mixed = counted(content)["FULLY_CONNECTED"]
    # Only the bias of each expert is mixed: every kernel is a constant.
    assert mixed == (0 if case.expert_bias_eo is None else 1)
    assert counted(content)["BATCH_MATMUL"] == 0


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(
    "case",
    [
        condconv_case(images=3, kernel=(1, 1), in_channels=5),
        condconv_case(images=3, kernel=(3, 3), expert_bias=True),
        condconv_case(images=3, kernel=(5, 2), group=2, expert_bias=True),
        condconv_case(images=3, kernel=(3, 3), in_channels=6, group=6),
        condconv_case(images=3, kernel=(3, 5), in_channels=3, out_channels=6, group=3),
    ],
    ids=["pointwise", "dense", "grouped", "depthwise", "multiplier"],
)
def test_banks_hold_rounded_experts_and_nothing_else_is_rounded(case: CondConvCase, images: int) -> None:
    case = taken(case, images)
    rounded = replace(case, experts_eoihw=case.experts_eoihw.astype(np.float16).astype(np.float32))
    half = filed(case, images, bank="float16")
    assert_file_gives(half, case.feeds, {"y": rounded.expected()})
    assert rounding_error(case.expected(), rounded.expected()) > 10 * FLOAT32_LIMIT

    eight = filed(case, images, bank="int8")
    for delegate in (True, False):
        actual = results(open_file(eight, delegate=delegate), case.feeds)["y"]
        assert rounding_error(case.expected(), actual) < INT8_LIMIT
    for content, kind, size in ((half, 1, 2), (eight, 9, 1)):
        banks = [
            len(buffers[tensor.buffer].data) // size
            for model in [read_back(content)]
            for buffers in [model.buffers]
            for tensor in model.subgraphs[0].tensors
            if tensor.type == kind
        ]
        assert banks == [case.experts_eoihw.size]


def test_one_scale_serves_channels_of_very_different_size() -> None:
    case = condconv_case(images=1)
    sizes = np.geomspace(1e-4, 1e3, case.conv.out_channels).astype(np.float32)
    case = replace(
        case,
        experts_eoihw=case.experts_eoihw * sizes[None, :, None, None, None],
        bias_o=np.zeros_like(case.bias_o),
    )
    expected = case.expected()
    actual = results(open_file(filed(case, bank="int8")), case.feeds)["y"]
    for channel in range(case.conv.out_channels):
        error = np.abs(actual[0, channel] - expected[0, channel]).max()
        assert error < INT8_LIMIT * np.abs(expected[0, channel]).max()


@pytest.mark.parametrize("group", [1, 2])
def test_a_normalised_bank_is_scaled_as_an_int8_one_and_exact(group: int) -> None:
    case = condconv_case(images=1, group=group)
    assert_file_gives(filed(case, bank="normalised"), case.feeds, {"y": case.expected()})
    model = read_back(filed(case, bank="normalised"))
    numbers = [
        np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype=np.float32)
        for tensor in model.subgraphs[0].tensors
        if tensor.type == 0 and model.buffers[tensor.buffer].data is not None
    ]
    (bank,) = (array for array in numbers if array.size == case.experts_eoihw.size)
    assert np.abs(bank).max() == pytest.approx(1.0)
    assert operator_names(filed(case, bank="normalised")) == operator_names(filed(case, bank="int8"))


def test_experts_of_zeros_are_stored_as_such() -> None:
    case = condconv_case(images=1)
    case = replace(case, experts_eoihw=np.zeros_like(case.experts_eoihw))
    assert_file_gives(filed(case, bank="int8"), case.feeds, {"y": case.expected()})


def test_the_quantization_of_a_bank_is_one_scale_and_symmetric() -> None:
    content = filed(condconv_case(), bank="int8")
    model = read_back(content)
    (tensor,) = [tensor for tensor in model.subgraphs[0].tensors if tensor.type == 9]
    assert list(tensor.quantization.scale) == [pytest.approx(1 / 127)]
    assert list(tensor.quantization.zeroPoint) == [0]
    stored = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype=np.int8)
    assert (stored.min() >= -127, np.abs(stored).max()) == (True, 127)
    versions = {code.builtinCode: code.version for code in model.operatorCodes}
    assert versions[9] == HYBRID_VERSION


def test_a_pointwise_layer_is_two_products_in_the_delegate() -> None:
    content = check(condconv_case(images=1, kernel=(1, 1)))
    kinds = counted(content)
    assert (kinds["FULLY_CONNECTED"], kinds["BATCH_MATMUL"], kinds["CONCATENATION"], kinds["ADD"]) == (1, 1, 0, 1)
    assert kinds.total() == kinds["RESHAPE"] + 3
    assert vars(options_of(content, "BATCH_MATMUL")) == {
        "adjX": False, "adjY": True, "asymmetricQuantizeInputs": False,
    }  # fmt: skip


@pytest.mark.parametrize("bank", ["float32", "float16", "int8"])
def test_dense_layers_stay_in_the_delegate(bank: str) -> None:
    for case in (condconv_case(kernel=(1, 1)), condconv_case(kernel=(3, 3)), condconv_case(kernel=(5, 5), group=2)):
        for images in (1, 2):
            found = coverage(open_file(filed(case, images, bank=bank)))
            assert (found.complete, found.partitions) == (True, 1), found.sentence()


def test_a_strided_layer_stays_in_the_delegate() -> None:
    case = condconv_case(images=1)
    strided = replace(case, conv=replace(case.conv, settings=replace(case.conv.settings, strides=(2, 2))))
    assert coverage(open_file(check(strided))).complete


def test_only_the_computed_depthwise_convolutions_leave_the_delegate() -> None:
    case = condconv_case(images=2, in_channels=6, group=6)
    assert dict(coverage(open_file(check(case))).not_delegated) == {"DEPTHWISE_CONV_2D": 2}


@pytest.mark.parametrize("form", ["auto", "experts"])
@pytest.mark.parametrize("delegate", [True, False])
@pytest.mark.parametrize("group", [1, 6])
def test_every_image_gets_its_own_kernel_on_two_threads(group: int, delegate: bool, form: str) -> None:
    case = condconv_case(images=6, in_channels=6, group=group, expert_bias=True)
    session = open_file(filed(case, form=form), delegate=delegate, threads=2)
    expected = case.expected()
    for index in [*range(6), *reversed(range(6))]:
        assert_same(expected[index : index + 1], results(session, case.one(index))["y"])
    first_kernel_for_all = replace(case, routing_ne=np.repeat(case.routing_ne[:1], 6, axis=0)).expected()
    assert_different(expected[1:], first_kernel_for_all[1:])


def test_layers_behind_each_other_keep_their_own_banks() -> None:
    first, second = condconv_case(images=1, out_channels=4), condconv_case(images=1, kernel=(1, 1), seed=1)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    first.add_to(sketch, "x", "routing", "middle", module="one")
    second.add_to(sketch, "middle", "routing", "y", module="two")
    inner = first.expected().astype(np.float32)
    last = replace(second, images_nchw=inner, routing_ne=first.routing_ne)
    assert_file_gives(written(sketch.model("y")), first.feeds, {"y": last.expected()})


def test_experts_by_another_order_would_be_noticed() -> None:
    case = condconv_case(images=1)
    turned = replace(case, experts_eoihw=case.experts_eoihw[::-1])
    assert_different(case.expected(), results(open_file(filed(turned)), case.feeds)["y"])


def test_the_tensors_carry_the_module() -> None:
    content = filed(condconv_case(images=1, kernel=(1, 1)))
    names = [tensor.name.decode() for tensor in read_back(content).subgraphs[0].tensors]
    assert "block.conv/mix_kernels" in names
    assert "block.conv:y" in names
