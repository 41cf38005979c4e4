"""Expansions in pieces: nothing changes, nothing is sliced, and nothing is split that is better whole."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from condmix.exporters.tflite.expansions import LARGEST_PIECE_BYTES, find_expanded
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import produced_by, with_batch
from tests.exporters.lower.test_mixconv_hoisted import ACTIVATIONS, Expanded, expanded_cases
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_file_gives, counted, written

IN_PIECES = ("none", "Relu", "Clip", "HardSwish", "silu")


@exact_rule
@given(expanded=expanded_cases(), images=st.sampled_from([1, 3]))
def test_equals_the_definition_with_any_groups_and_activation(expanded: Expanded, images: int) -> None:
    expanded.images = expanded.images[:images]
    model = expanded.model()
    with_batch(model, images)
    assert_file_gives(written(model), {"x": expanded.images}, {"y": expanded.expected()})


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_branches_of_one_group_need_no_slices(activation: str) -> None:
    case = mixconv_case(in_channels=(4, 3), kernels=(3, 5))
    expanded = Expanded(case, group=1, per_group=5, activation=activation, seed=0)
    found = counted(written(expanded.model()))
    whole = activation not in IN_PIECES
    assert (found["CONV_2D"], found["SLICE"]) == ((1, 2) if whole else (2, 0))
    assert found["RELU"] == found["RELU6"] == 0


def test_a_branch_that_straddles_two_groups_becomes_two() -> None:
    case = mixconv_case(in_channels=(3, 2, 3), kernels=(3, 5, 3))
    expanded = Expanded(case, group=2, per_group=3, activation="Relu", seed=0)
    found = counted(written(expanded.model()))
    # Each group of x is cut out once for both of its pieces.
    assert (found["CONV_2D"], found["DEPTHWISE_CONV_2D"], found["SLICE"]) == (4, 4, 2)
    assert_file_gives(written(expanded.model()), {"x": expanded.images[:1]}, {"y": expanded.expected()[:1]})


def depthwise(channels: int, size: int, *, group: int = 1, kernel: int = 1) -> tuple[ir.Model, np.ndarray, np.ndarray]:
    """x -> expansion -> SiLU -> depthwise 3x3: the graph, an image, the result."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((1, 4, size, size)).astype(np.float32)
    expand = generator.standard_normal((channels, 4 // group, kernel, kernel)).astype(np.float32)
    taps = generator.standard_normal((channels, 1, 3, 3)).astype(np.float32)
    bias = generator.standard_normal(channels).astype(np.float32)
    sketch = Sketch()
    sketch.input("x", x.shape)
    weights = [sketch.constant("expand.weight", expand), sketch.constant("expand.bias", bias)]
    pads = [kernel // 2] * 4
    last = sketch.node("Conv", ["x", *weights], "expanded", group=group, pads=pads, kernel_shape=[kernel] * 2)
    gate = sketch.node("Sigmoid", [last], "gate")
    last = sketch.node("Mul", [last, gate], "active")
    weights = [sketch.constant("taps", taps), sketch.constant("own_bias", bias)]
    sketch.node("Conv", [last, *weights], "y", group=channels, pads=[1] * 4, kernel_shape=[3, 3])
    tensors = [torch.from_numpy(item).double() for item in (x, expand, bias, taps)]
    expanded = functional.conv2d(tensors[0], tensors[1], tensors[2], groups=group, padding=kernel // 2)
    result = functional.conv2d(functional.silu(expanded), tensors[3], tensors[2], groups=channels, padding=1)
    return sketch.model("y"), x, result.numpy()


@pytest.mark.parametrize("group", [1, 2])
def test_large_images_are_computed_in_pieces(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("condmix.exporters.tflite.expansions.LARGEST_PIECE_BYTES", 9 * 9 * 4 * 40)
    model, x, expected = depthwise(100, 9, group=group)
    content = written(model)
    found = counted(content)
    # 100 channels in 48, 48 and 4, or twice 32 and 18: at most 40, in steps of 16.
    assert found["DEPTHWISE_CONV_2D"] == (3 if group == 1 else 4)
    assert found["LOGISTIC"] == found["MUL"] == found["DEPTHWISE_CONV_2D"]
    assert_file_gives(content, {"x": x}, {"y": expected})


def test_small_images_and_wide_kernels_are_left_whole() -> None:
    for size, kernel in ((9, 1), (9, 3)):
        model, x, expected = depthwise(100, size, kernel=kernel)
        content = written(model)
        assert counted(content)["DEPTHWISE_CONV_2D"] == 1
        assert_file_gives(content, {"x": x}, {"y": expected})


def test_smaller_elements_make_fewer_pieces() -> None:
    model, _, _ = depthwise(96, 112)
    last = produced_by(model, "y")
    in_float, in_int8 = (find_expanded(last, element_bytes=size) for size in (4, 1))
    assert 96 * 112 * 112 < LARGEST_PIECE_BYTES < 96 * 112 * 112 * 4
    assert in_float is not None
    assert [(piece.start, piece.stop) for piece in in_float.pieces] == [(0, 48), (48, 96)]
    assert in_int8 is None
