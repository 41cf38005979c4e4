"""Finding MixConv layers by structure, and saying why a lookalike is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.recognise import recognise
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.recognise.mixconv import find_mixconv
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, operators, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch

Edges = list[tuple[int, int]]


def add_slice(sketch: Sketch, x: str, output: str, start: int, stop: int) -> str:
    parts = [
        sketch.constant(f"{output}.{name}", [number])
        for name, number in (("start", start), ("stop", stop), ("axis", 1), ("step", 1))
    ]
    return sketch.node("Slice", [x, *parts], output, module="mix")


def unnamed(case: MixConvCase, *, split: bool, padded: bool, bias: bool = True) -> Sketch:
    """Split or slices -> (Pad ->) convolutions -> Concat."""
    sketch = Sketch()
    sketch.input("image", (1, case.channels, *case.branches[0].input_size))
    sketch.node("Relu", ["image"], "x")
    sizes = [branch.in_channels for branch in case.branches]
    names = [f"part{index}" for index in range(len(sizes))]
    if split:
        sketch.node("Split", ["x", sketch.constant("sizes", sizes)], names, module="mix", axis=1)
    else:
        for index, name in enumerate(names):
            add_slice(sketch, "x", name, sum(sizes[:index]), sum(sizes[: index + 1]))
    for index, branch in enumerate(case.branches):
        settings, x = branch.settings, names[index]
        if padded:
            top, left, bottom, right = settings.pads
            amounts = sketch.constant(f"amounts{index}", [0, 0, top, left, 0, 0, bottom, right])
            x = sketch.node("Pad", [x, amounts], f"padded{index}", module=f"mix.{index}")
            settings = replace(settings, pads=(0, 0, 0, 0))
        inputs = [x, sketch.constant(f"w{index}", case.weights_oihw[index])]
        if bias:
            inputs.append(sketch.constant(f"b{index}", case.biases_o[index]))
        attributes = dict(settings.attributes())
        sketch.node("Conv", inputs, f"result{index}", module=f"mix.{index}", **attributes)
    sketch.node("Concat", [f"result{index}" for index in range(len(sizes))], "y", module="mix", axis=1)
    return sketch


@exact_rule
@given(data=st.data(), depthwise=st.booleans(), split=st.booleans(), padded=st.booleans())
def test_a_split_of_convolutions_is_named_and_equal(
    data: st.DataObject, depthwise: bool, split: bool, padded: bool
) -> None:
    case: MixConvCase = data.draw(mixconv_cases(depthwise=depthwise))
    model = unnamed(case, split=split, padded=padded).model("y")
    recognition = recognise(model)
    (record,) = recognition.layers
    assert (record.path, record.recognised) == ("mix", True)
    assert record.details["kernels"] == tuple(branch.settings.kernel for branch in case.branches)
    assert operators(model) == {"Relu": 1, f"MixConv{len(case.branches)}": 1}
    positive = np.maximum(case.images_nchw, 0)
    assert_same(case.expected(positive), run(model, {"image": case.images_nchw})["y"])


def test_branches_without_bias_get_one_of_zeros() -> None:
    case = mixconv_case(images=1)
    plain = replace(case, biases_o=tuple(np.zeros_like(bias) for bias in case.biases_o))
    model = unnamed(case, split=True, padded=False, bias=False).model("y")
    (finding,) = find_mixconv(model)
    assert isinstance(finding, Recognised)
    assert finding.routing_names == ()
    recognise(model)
    assert_same(plain.expected(np.maximum(case.images_nchw, 0)), run(model, {"image": case.images_nchw})["y"])


def convolutions(
    edges: Edges, *, channels: int = 6, kernels: tuple[int, ...] = (3, 5, 7), strides: tuple[int, ...] = (1, 1, 1)
) -> Sketch:
    """One depthwise convolution for each slice start:stop, without further pads where a stride is given."""
    sketch = Sketch()
    sketch.input("x", (1, channels, 8, 8))
    results: list[str] = []
    for index, ((start, stop), kernel, stride) in enumerate(zip(edges, kernels, strides, strict=False)):
        part = add_slice(sketch, "x", f"part{index}", start, stop)
        weight = sketch.constant(f"w{index}", np.ones((stop - start, 1, kernel, kernel), dtype=np.float32))
        result = f"result{index}"
        # With strides of 1 and 2, kernels of 5 and 3 both give 4 x 4.
        pads = [kernel // 2] * 4 if set(strides) == {1} else [0, 0, stride - 1, stride - 1]
        sketch.node(
            "Conv", [part, weight], result, module=f"mix.{index}", group=stop - start, pads=pads, strides=[stride] * 2
        )
        results.append(result)
    sketch.node("Concat", results, "y", module="mix", axis=1)
    return sketch


@pytest.mark.parametrize(
    ("sketch", "reason"),
    [
        (
            convolutions([(0, 6), (0, 6)]),
            "not a MixConv: every branch reads all input channels (6)",
        ),
        (
            convolutions([(2, 6), (0, 2)]),
            "not a MixConv: the branches take the channel slices in another order than they return them",
        ),
        (
            convolutions([(0, 4), (2, 6)]),
            "not a MixConv: channel slices overlap (0:4, 2:6)",
        ),
        (
            convolutions([(0, 2), (3, 6)]),
            "not a MixConv: channel slices 0:2, 3:6 leave out some of the 6 input channels",
        ),
        (
            convolutions([(0, 2), (2, 5)]),
            "not a MixConv: channel slices 0:2, 2:5 leave out some of the 6 input channels",
        ),
        (
            convolutions([(1, 2), (2, 6)]),
            "not a MixConv: channel slices 1:2, 2:6 leave out some of the 6 input channels",
        ),
        (
            convolutions([(0, 2), (2, 6)], kernels=(5, 3), strides=(1, 2)),
            "not a MixConv: branches have different strides [(1, 1), (2, 2)]",
        ),
    ],
)
def test_a_lookalike_is_declined_with_the_reason(sketch: Sketch, reason: str) -> None:
    model = sketch.model("y")
    (finding,) = find_mixconv(model)
    assert isinstance(finding, Declined)
    assert (finding.path, finding.reason) == ("mix", reason)
    before = operators(model)
    recognise(model)
    assert operators(model) == before


def test_the_test_of_the_reasons_has_a_right_one_too() -> None:
    (finding,) = find_mixconv(convolutions([(0, 1), (1, 4), (4, 6)]).model("y"))
    assert isinstance(finding, Recognised)


def other_concat(kind: str) -> ir.Model:
    """A Concat that is no lookalike at all."""
    sketch = Sketch()
    sketch.input("x", (1, 4, 8, 8))
    sketch.input("z", (1, 4, 8, 8))
    weight = sketch.constant("w", np.ones((2, 2, 1, 1), dtype=np.float32))
    first = add_slice(sketch, "x", "first", 0, 2)
    second = add_slice(sketch, "z" if kind == "two tensors" else "x", "second", 2, 4)
    sketch.node("Conv", [first, weight], "a")
    if kind == "no convolution":
        sketch.node("Relu", [second], "b")
    elif kind == "a computed kernel":
        sketch.input("given", (2, 2, 1, 1))
        sketch.node("Conv", [second, "given"], "b")
    else:
        sketch.node("Conv", [second, weight], "b")
    sketch.node("Concat", ["a", "b"], "y", axis=2 if kind == "another axis" else 1)
    if kind == "another reader":
        sketch.node("Relu", ["b"], "other")
        return sketch.model("y", "other")
    return sketch.model("y")


@pytest.mark.parametrize(
    "kind", ["two tensors", "no convolution", "a computed kernel", "another axis", "another reader"]
)
def test_a_concat_of_something_else_is_passed_over(kind: str) -> None:
    assert list(find_mixconv(other_concat(kind))) == []


def test_the_concat_taken_from_those_is_one_when_nothing_is_wrong() -> None:
    (finding,) = find_mixconv(other_concat("nothing"))
    assert isinstance(finding, Recognised)


def test_a_padding_that_others_read_is_not_taken_in() -> None:
    case = mixconv_case(in_channels=(2, 2), kernels=(3, 5), images=1)
    sketch = unnamed(case, split=True, padded=True)
    sketch.node("Relu", ["padded0"], "other")
    model = sketch.model("y", "other")
    assert list(find_mixconv(model)) == []
