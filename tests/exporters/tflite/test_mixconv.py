"""MixConv equals the plain loop over its branches; activations ride in the branches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import with_batch
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.tflite.running import assert_file_gives, counted, open_file, read_back, written


def activated(case: MixConvCase, activation: str) -> tuple[bytes, np.ndarray]:
    """The layer with an activation behind it, and what it should give."""
    sketch = case.sketch()
    output, expected = "y", case.expected()
    if activation == "Relu":
        output, expected = sketch.node("Relu", ["y"], "z"), np.maximum(expected, 0)
    if activation == "Clip":
        bounds = [sketch.constant("low", 0.0), sketch.constant("high", 6.0)]
        output, expected = sketch.node("Clip", ["y", *bounds], "z"), np.clip(expected, 0, 6)
    model = sketch.model(output)
    with_batch(model, len(case.images_nchw))
    return written(model), expected


def check(case: MixConvCase, activation: str = "none") -> bytes:
    content, expected = activated(case, activation)
    name = "y" if activation == "none" else "z"
    assert_file_gives(content, {"x": case.images_nchw}, {name: expected})
    return content


ACTIVATIONS = st.sampled_from(["none", "Relu", "Clip"])


@exact_rule
@given(case=mixconv_cases(images=2), activation=ACTIVATIONS)
def test_depthwise_branches_equal_the_plain_loop(case: MixConvCase, activation: str) -> None:
    check(case, activation)


@exact_rule
@given(case=mixconv_cases(depthwise=False), activation=ACTIVATIONS)
def test_dense_branches_equal_the_plain_loop(case: MixConvCase, activation: str) -> None:
    check(case, activation)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("activation", ["none", "Relu", "Clip"])
def test_large_kernels_are_cut_and_nothing_leaves_the_delegate(activation: str, stride: int) -> None:
    case = mixconv_case(in_channels=(3, 4, 2, 5, 3), kernels=(3, 5, 7, 9, 11), stride=stride, input_size=(13, 12))
    content = check(case, activation)
    kinds = counted(content)
    assert kinds["DEPTHWISE_CONV_2D"] == 1 + 1 + 3 + 4 + 6
    assert kinds["RELU"] + kinds["RELU6"] + kinds["MINIMUM"] == 0
    found = coverage(open_file(content))
    assert (found.complete, found.partitions) == (True, 1), found.sentence()


def test_five_branches_are_joined_in_two_steps() -> None:
    # Seven branches and the concatenation takes four at most: two steps.
    kinds = counted(check(mixconv_case(in_channels=(1, 2, 3, 1, 2), kernels=(1, 3, 3, 5, 5))))
    assert (kinds["CONCATENATION"], kinds["SLICE"]) == (2, 5)
    assert counted(check(mixconv_case()))["CONCATENATION"] == 1


def test_slices_have_sizes_written_out() -> None:
    content = check(mixconv_case(in_channels=(3, 2), kernels=(3, 5)))
    model = read_back(content)
    graph = model.subgraphs[0]
    slices = [operator for operator in graph.operators if operator.builtinOptionsType == 48]
    sizes = [
        np.frombuffer(bytes(model.buffers[graph.tensors[operator.inputs[2]].buffer].data), dtype=np.int32).tolist()
        for operator in slices
    ]
    assert sizes == [[2, 9, 8, 3], [2, 9, 8, 2]]


def test_the_tensors_carry_the_module_and_the_branch() -> None:
    names = [tensor.name.decode() for tensor in read_back(check(mixconv_case())).subgraphs[0].tensors]
    assert {"block.mix/branch_0", "block.mix/branch_1_weight", "block.mix:y"} <= set(names)
