"""Convolutions with stored weights equal ONNX Runtime's, in the operators that were meant."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.tflite.bands import MOST_TAPS, bands_of
from condmix.exporters.tflite.convolution import out_size, padded, same_pads
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Padding, TensorType
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.conv_cases import ConvCase, conv_case, conv_cases, exact_rule, output_size, seeds
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.running import assert_as_in_onnx, counted, open_file, options_of


def convolved(case: ConvCase, seed: int, *, bias: bool = True, relu: bool = False) -> ir.Model:
    """x to y by a Conv with random weights."""
    generator = np.random.default_rng(seed)
    sketch = Sketch()
    sketch.input("x", (1, case.in_channels, *case.input_size))
    inputs = ["x", sketch.constant("weight", case.weights(generator))]
    if bias:
        inputs.append(sketch.constant("bias", generator.standard_normal(case.out_channels).astype(np.float32)))
    attributes = {name: value for name, value in case.settings.attributes().items() if name != "kernel_shape"}
    sketch.node("Conv", inputs, "conv" if relu else "y", module="block.conv", **attributes)
    if relu:
        sketch.node("Relu", ["conv"], "y")
    return sketch.model("y")


def checked(case: ConvCase, seed: int = 0, **choices: bool) -> bytes:
    image = case.images(np.random.default_rng(seed + 1))
    return assert_as_in_onnx(convolved(case, seed, **choices), {"x": image})


@exact_rule
@given(case=conv_cases(), seed=seeds, bias=st.booleans(), relu=st.booleans())
def test_any_convolution(case: ConvCase, seed: int, bias: bool, relu: bool) -> None:
    content = checked(case, seed % 2**31, bias=bias, relu=relu)
    assert counted(content)["RELU"] == 0


@exact_rule
@given(case=conv_cases(depthwise=True), seed=seeds, relu=st.booleans())
def test_any_depthwise_convolution(case: ConvCase, seed: int, relu: bool) -> None:
    content = checked(case, seed % 2**31, relu=relu)
    assert counted(content)["DEPTHWISE_CONV_2D"] == 1


@exact_rule
@given(case=conv_cases(depthwise=True, kernels=(5, 9)), seed=seeds, relu=st.booleans())
def test_any_depthwise_convolution_of_many_taps(case: ConvCase, seed: int, relu: bool) -> None:
    height, width = case.settings.kernel
    content = checked(case, seed % 2**31, relu=relu)
    if height * width > MOST_TAPS and case.settings.strides[0] == case.settings.strides[1]:
        # A band whose taps only ever see padding is left out.
        bands = len(bands_of((height, width)))
        assert 1 <= counted(content)["DEPTHWISE_CONV_2D"] <= bands
        if not any(case.settings.pads):
            assert counted(content)["DEPTHWISE_CONV_2D"] == bands


def depthwise(
    kernel: tuple[int, int],
    *,
    pads: tuple[int, int, int, int] | None = None,
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    multiplier: int = 1,
    channels: int = 3,
) -> ConvCase:
    own = pads or (kernel[0] // 2, kernel[1] // 2, kernel[0] // 2, kernel[1] // 2)
    settings = ConvSettings(kernel=kernel, strides=strides, pads=own, dilations=dilations, group=channels)
    return ConvCase(in_channels=channels, out_channels=channels * multiplier, settings=settings, input_size=(25, 23))


@pytest.mark.parametrize(
    ("case", "bands"),
    [
        (depthwise((5, 5)), 1),
        (depthwise((7, 7)), 3),
        (depthwise((9, 9)), 4),
        (depthwise((9, 9), strides=(2, 2), pads=(3, 3, 4, 4)), 4),
        (depthwise((9, 9), dilations=(1, 2), pads=(4, 8, 4, 8)), 4),
        (depthwise((10, 9), pads=(0, 0, 0, 0)), 4),
        (depthwise((9, 8), pads=(4, 4, 4, 3)), 3),
        (depthwise((11, 11)), 6),
        (depthwise((5, 7)), 2),
        (depthwise((7, 5)), 2),
        (depthwise((7, 7), strides=(2, 2)), 3),
        (depthwise((7, 7), pads=(2, 3, 4, 1)), 3),
        (depthwise((7, 7), pads=(0, 0, 0, 0)), 3),
        (depthwise((7, 7), dilations=(2, 2), pads=(6, 6, 6, 6)), 3),
        (depthwise((7, 7), strides=(2, 2), dilations=(2, 1), pads=(6, 2, 5, 3), multiplier=2), 3),
        (depthwise((2, 25), pads=(0, 12, 1, 12)), 2),
        (depthwise((3, 9), strides=(1, 2)), 1),
        (depthwise((1, 27), pads=(0, 13, 0, 13)), 1),
        (depthwise((27, 1), pads=(13, 0, 13, 0)), 2),
    ],
    ids=str,
)
def test_large_depthwise_kernels_are_sums_of_row_bands(case: ConvCase, bands: int) -> None:
    for relu in (False, True):
        content = checked(case, relu=relu)
        kinds = counted(content)
        assert (kinds["DEPTHWISE_CONV_2D"], kinds["ADD"], kinds["RELU"]) == (bands, bands - 1, 0)
        height, width = case.settings.kernel
        if bands > 1:
            assert all(
                options_of(content, "DEPTHWISE_CONV_2D", index).padding == Padding.VALID  # type: ignore[attr-defined]
                for index in range(bands)
            )
            assert -(-height * width // bands) <= MOST_TAPS


def test_what_of_the_image_is_cut_out_for_bands() -> None:
    for kernel in ((7, 7), (9, 9)):
        assert counted(checked(depthwise(kernel), relu=False))["SLICE"] == 1
    assert counted(checked(depthwise((11, 11)), relu=False))["SLICE"] == 0


def test_row_bands_stay_in_the_delegate() -> None:
    taken = coverage(open_file(checked(depthwise((9, 9), strides=(2, 2)), relu=True)))
    assert (taken.complete, taken.partitions) == (True, 1)


@pytest.mark.parametrize(
    ("input_size", "kernel", "pads", "stride", "written_as"),
    [
        ((8, 8), (3, 3), (1, 1, 1, 1), 1, {"CONV_2D": 1}),
        ((8, 8), (3, 3), (1, 1, 1, 1), 2, {"PAD": 1, "CONV_2D": 1}),
        ((7, 7), (3, 3), (1, 1, 1, 1), 2, {"CONV_2D": 1}),
        ((8, 8), (3, 3), (0, 0, 1, 1), 2, {"CONV_2D": 1}),
        ((8, 8), (2, 2), (0, 0, 1, 1), 1, {"CONV_2D": 1}),
        ((8, 8), (2, 2), (1, 1, 0, 0), 1, {"PAD": 1, "CONV_2D": 1}),
        ((8, 8), (1, 1), (0, 0, 0, 0), 2, {"CONV_2D": 1}),
    ],
)
def test_pads_are_a_word_where_one_means_them(
    input_size: tuple[int, int],
    kernel: tuple[int, int],
    pads: tuple[int, int, int, int],
    stride: int,
    written_as: dict[str, int],
) -> None:
    settings = ConvSettings(kernel=kernel, strides=(stride, stride), pads=pads, dilations=(1, 1), group=1)
    content = checked(ConvCase(in_channels=2, out_channels=3, settings=settings, input_size=input_size))
    assert counted(content) == written_as
    expected = Padding.SAME if any(pads) and "PAD" not in written_as else Padding.VALID
    assert options_of(content, "CONV_2D").padding == expected  # type: ignore[attr-defined]


@exact_rule
@given(case=conv_cases())
def test_the_stated_size_is_the_one_of_onnx(case: ConvCase) -> None:
    x = Tensor(name="x", shape=(1, *case.input_size, case.in_channels), type=TensorType.FLOAT32)
    source, padding = padded(Emitter(), x, case.settings)
    assert out_size(source, case.settings, padding) == output_size(case.settings, case.input_size)
    assert (padding is Padding.SAME) <= (source is x)


@pytest.mark.parametrize(
    ("length", "kernel", "stride", "dilation", "expected"),
    [
        # tf.nn.convolution: ceil(length / stride) results, the odd pixel at the end.
        (10, 3, 1, 1, (1, 1)),
        (10, 3, 2, 1, (0, 1)),
        (11, 3, 2, 1, (1, 1)),
        (10, 4, 1, 1, (1, 2)),
        (10, 3, 1, 2, (2, 2)),
        (10, 1, 3, 1, (0, 0)),
        (4, 2, 3, 1, (0, 1)),
    ],
)
def test_same_is_tensorflows(length: int, kernel: int, stride: int, dilation: int, expected: tuple[int, int]) -> None:
    assert same_pads(length, kernel, stride, dilation) == expected


def test_options_in_the_bindings_order() -> None:
    settings = ConvSettings(kernel=(3, 5), strides=(2, 3), pads=(0, 0, 0, 0), dilations=(2, 1), group=1)
    case = ConvCase(in_channels=2, out_channels=4, settings=settings, input_size=(11, 12))
    plain = options_of(checked(case, relu=True), "CONV_2D")
    assert vars(plain) == {
        "padding": 1, "strideW": 3, "strideH": 2, "fusedActivationFunction": 1, "dilationWFactor": 1,
        "dilationHFactor": 2, "quantizedBiasType": 0,
    }  # fmt: skip
    separable = ConvCase(
        in_channels=2,
        out_channels=6,
        settings=ConvSettings(kernel=(3, 5), strides=(2, 3), pads=(0, 0, 0, 0), dilations=(2, 1), group=2),
        input_size=(11, 12),
    )
    assert vars(options_of(checked(separable, relu=True), "DEPTHWISE_CONV_2D")) == {
        "padding": 1, "strideW": 3, "strideH": 2, "depthMultiplier": 3, "fusedActivationFunction": 1,
        "dilationWFactor": 1, "dilationHFactor": 2,
    }  # fmt: skip


def test_a_grouped_convolution_stays_one_operator_in_the_delegate() -> None:
    content = checked(conv_case(in_channels=6, out_channels=4, kernel=(1, 1), group=2))
    assert counted(content) == {"CONV_2D": 1}
    assert coverage(open_file(content)).complete
