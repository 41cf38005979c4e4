"""Transposed convolutions equal ONNX Runtime's and PyTorch's, or are refused with a reason."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import exact_rule, pairs, seeds
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.resampling_checks import check, numbers
from tests.exporters.tflite.running import assert_file_gives, counted, open_file, options_of, written


def transposed(
    *,
    kernel: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (2, 2),
    pads: tuple[int, ...] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    output_padding: tuple[int, int] = (0, 0),
    group: int = 1,
    channels: tuple[int, int] = (2, 3),
    size: tuple[int, int] = (4, 5),
    images: int = 1,
    bias: bool = True,
    seed: int = 0,
) -> Sketch:
    """x to y; channels are those of a group."""
    sketch = Sketch()
    sketch.input("x", (images, channels[0] * group, *size))
    names = ["x", sketch.constant("w", numbers(channels[0] * group, channels[1], *kernel, seed=seed))]
    if bias:
        names.append(sketch.constant("b", numbers(channels[1] * group, seed=seed + 1)))
    sketch.node(
        "ConvTranspose",
        names,
        "y",
        module="up",
        strides=strides,
        pads=pads,
        dilations=dilations,
        output_padding=output_padding,
        group=group,
    )
    return sketch


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> Sketch:
    kernel, dilations, strides = draw(pairs(1, 4)), draw(pairs(1, 2)), draw(pairs(1, 3))
    extents = [(length - 1) * dilation + 1 for length, dilation in zip(kernel, dilations, strict=True)]
    pads = tuple(draw(st.integers(0, extents[axis % 2] - 1)) for axis in range(4))
    size = draw(pairs(2, 5))
    for axis in (0, 1):
        assume((size[axis] - 1) * strides[axis] + extents[axis] - pads[axis] - pads[axis + 2] > 0)
    return transposed(
        kernel=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        # ONNX Runtime wants less than the stride.
        output_padding=(draw(st.integers(0, strides[0] - 1)), draw(st.integers(0, strides[1] - 1))),
        group=draw(st.integers(1, 3)),
        channels=draw(pairs(1, 3)),
        size=size,
        images=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        seed=draw(seeds) % 2**31,
    )


@exact_rule
@given(sketch=transposed_convolutions())
def test_any_transposed_convolution(sketch: Sketch) -> None:
    check(sketch)


@pytest.mark.parametrize(
    ("choices", "written_as"),
    [
        ({"kernel": (2, 2)}, {"TRANSPOSE_CONV": 1}),
        ({"kernel": (4, 4), "pads": (1, 1, 1, 1)}, {"TRANSPOSE_CONV": 1}),
        ({"kernel": (3, 3), "pads": (1, 1, 1, 1), "output_padding": (1, 1)}, {"TRANSPOSE_CONV": 1, "SLICE": 1}),
        ({"kernel": (3, 3), "pads": (1, 1, 1, 1)}, {"TRANSPOSE_CONV": 1}),
        ({"kernel": (3, 3), "pads": (1, 0, 0, 0)}, {"TRANSPOSE_CONV": 1, "SLICE": 1}),
        ({"kernel": (3, 3), "pads": (0, 0, 1, 1)}, {"TRANSPOSE_CONV": 1}),
        ({"kernel": (2, 2), "group": 2}, {"TRANSPOSE_CONV": 2, "SLICE": 2, "CONCATENATION": 1}),
        ({"kernel": (2, 3), "dilations": (2, 2)}, {"TRANSPOSE_CONV": 1}),
    ],
)
def test_what_is_written_stays_in_the_delegate(choices: dict[str, tuple[int, ...]], written_as: dict[str, int]) -> None:
    content = check(transposed(**choices))  # type: ignore[arg-type]
    assert counted(content) == written_as
    assert coverage(open_file(content)).complete


def test_the_options_of_a_transposed_convolution() -> None:
    content = check(transposed(strides=(3, 2)))
    assert vars(options_of(content, "TRANSPOSE_CONV")) == {
        "padding": 1, "strideW": 2, "strideH": 3, "fusedActivationFunction": 0, "quantizedBiasType": 0,
    }  # fmt: skip
    assert options_of(check(transposed(pads=(0, 0, 1, 1))), "TRANSPOSE_CONV").padding == 0  # type: ignore[attr-defined]


def test_transposed_convolutions_that_are_refused() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 4, 4))
    sketch.input("w", (2, 3, 3, 3))
    sketch.input("line", (1, 2, 4))
    stored = sketch.constant("stored", numbers(2, 3, 3, 3))
    sketch.node("ConvTranspose", ["x", "w"], "a", module="a")
    sketch.node("ConvTranspose", ["line", sketch.constant("k", numbers(2, 3, 3))], "b", module="b")
    sketch.node("ConvTranspose", ["x", stored], "c", module="c", output_shape=[8, 8], strides=[2, 2])
    with pytest.raises(NotExportableError) as refusal:
        written(sketch.model(*"abc"))
    reason = "its kernel or bias is computed, or it does not have two spatial axes"
    assert refusal.value.problems == (
        f"a: ConvTranspose 'node_a': {reason}",
        f"b: ConvTranspose 'node_b': {reason}",
        "c: ConvTranspose 'node_c': it states output_shape: give pads and output_padding",
    )


def test_what_torch_writes_for_a_transposed_convolution() -> None:
    network = torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2)
    x = torch.from_numpy(numbers(1, 4, 5, 6))
    content = written(capture(network, (4, 5, 6)).model)
    with torch.no_grad():
        assert_file_gives(content, {"input": x.numpy()}, {"output": network(x).numpy()})
