"""Transposed convolutions with mixed kernels, in phases: exact for every stride, pad, dilation, group and size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from condmix.exporters.recognise import recognise
from condmix.exporters.recognise.condconv import find_condconv
from condmix.exporters.recognise.finding import Declined, Recognised
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, node_of, operators, run
from tests.exporters.sketch import Sketch


@dataclass(frozen=True, kw_only=True)
class TransposedCase:
    """A transposed convolution; channels are those of a group."""

    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (2, 2)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)
    output_padding: tuple[int, int] = (0, 0)
    group: int = 1
    channels: tuple[int, int] = (2, 3)
    size: tuple[int, int] = (4, 5)
    bias: str = "stored"
    base: bool = False
    seed: int = 0

    def model(self) -> ir.Model:
        generator = np.random.default_rng(self.seed)
        inputs, outputs = self.channels[0] * self.group, self.channels[1]
        sketch = Sketch()
        sketch.input("x", (1, inputs, *self.size))
        sketch.input("r", (1, 3))
        bank = generator.standard_normal((3, inputs * outputs * int(np.prod(self.kernel)))).astype(np.float32)
        mixed = sketch.node("MatMul", ["r", sketch.constant("bank", bank)], "mixed", module="up")
        if self.base:
            mixed = sketch.node("Add", [mixed, sketch.constant("base", bank[:1] + 1)], "with_base", module="up")
        shape = sketch.constant("shape", (inputs, outputs, *self.kernel))
        names = ["x", sketch.node("Reshape", [mixed, shape], "kernel", module="up")]
        numbers = generator.standard_normal((3, outputs * self.group)).astype(np.float32)
        if self.bias == "stored":
            names.append(sketch.constant("bias", numbers[0]))
        elif self.bias == "mixed":
            row = sketch.node("MatMul", ["r", sketch.constant("biases", numbers)], "bias_row", module="up")
            flat = sketch.constant("flat", (outputs * self.group,))
            names.append(sketch.node("Reshape", [row, flat], "bias", module="up"))
        sketch.node(
            "ConvTranspose", names, "y", module="up", strides=self.strides, pads=self.pads, dilations=self.dilations,
            output_padding=self.output_padding, group=self.group,
        )  # fmt: skip
        return sketch.model("y")

    def feeds(self) -> dict[str, np.ndarray]:
        generator = np.random.default_rng(self.seed + 1)
        x = generator.standard_normal((1, self.channels[0] * self.group, *self.size))
        return {"x": x.astype(np.float32), "r": generator.uniform(-1, 1, (1, 3)).astype(np.float32)}


@st.composite
def transposed_cases(draw: st.DrawFn) -> TransposedCase:
    stride = draw(st.integers(1, 3))
    kernel, dilations = (draw(st.tuples(st.integers(1, most), st.integers(1, most))) for most in (4, 2))
    extents = [(length - 1) * dilation + 1 for length, dilation in zip(kernel, dilations, strict=True)]
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    top, left, bottom, right = (draw(st.integers(0, 3)) for _ in range(4))
    output_padding = draw(st.tuples(*[st.integers(0, max(stride - 1, 0))] * 2))
    for axis, (before, after) in enumerate(((top, bottom), (left, right))):
        assume((size[axis] - 1) * stride + extents[axis] + output_padding[axis] - before - after > 0)
    return TransposedCase(
        kernel=kernel,
        strides=(stride, stride),
        pads=(top, left, bottom, right),
        dilations=dilations,
        output_padding=output_padding,
        group=draw(st.integers(1, 3)),
        channels=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        size=size,
        bias=draw(st.sampled_from(["stored", "mixed", "none"])),
        base=draw(st.booleans()),
        seed=draw(seeds) % 2**31,
    )


@exact_rule
@given(case=transposed_cases())
def test_a_mixed_transposed_convolution_becomes_an_equal_condconv(case: TransposedCase) -> None:
    # With no more numbers in the kernel than in the routing nothing is a mixture.
    assume(case.channels[0] * case.group * case.channels[1] * int(np.prod(case.kernel)) > 3)
    model = case.model()
    before = run(model, case.feeds())["y"]
    (layer,) = recognise(model).layers
    assert layer.recognised, layer.why
    assert "ConvTranspose" not in operators(model)
    assert_same(before, run(model, case.feeds())["y"])


@pytest.mark.parametrize("group", [1, 2])
def test_another_order_of_phases_would_be_seen(group: int) -> None:
    case = TransposedCase(group=group)
    model = case.model()
    before = run(model, case.feeds())["y"]
    recognise(model)
    node = node_of(model, "DepthToSpace")
    mode = node.attributes["mode"].as_string()
    assert mode == ("DCR" if group == 1 else "CRD")
    node.attributes["mode"] = ir.AttrString("mode", "CRD" if group == 1 else "DCR")
    assert_different(before, run(model, case.feeds())["y"])


def test_nothing_is_multiplied_that_was_not_before() -> None:
    model = TransposedCase(kernel=(4, 4)).model()
    (finding,) = find_condconv(model)
    assert isinstance(finding, Recognised)
    assert finding.proof.endswith("transposed, written in 2 x 2 phases")
    recognise(model)
    bank = node_of(model, "CondConv").inputs[2]
    assert bank is not None
    assert bank.shape is not None
    assert tuple(bank.shape) == (3, 12, 2, 2, 2)


def test_strides_that_differ_are_declined() -> None:
    (finding,) = find_condconv(TransposedCase(strides=(2, 1)).model())
    assert isinstance(finding, Declined)
    assert finding.reason.endswith("strides (2, 1) or a stated size: not written in phases")
