"""`hoisted`: every branch gets its own slice of the expansion; no Split remains, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from condmix.exporters.graph.facts import constant
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.expansion import find_expansion
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.mixconv_hoisted import FORM, cut
from condmix.exporters.named.mixconv import MixConvLayer, read_mixconv
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import assert_different, assert_same, lowered, node_of, operators, produced_by, run
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case, mixconv_cases
from tests.exporters.sketch import Sketch

Activation = Callable[[torch.Tensor], torch.Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "none": lambda value: value,
    "Relu": functional.relu,
    "Clip": functional.relu6,
    "HardSwish": functional.hardswish,
    "LeakyRelu": lambda value: functional.leaky_relu(value, 0.2),
    "Elu": functional.elu,
    "Sigmoid": torch.sigmoid,
    "silu": functional.silu,
}


class Expanded:
    """x -> convolution in groups -> activation -> MixConv: the numbers, the graph and the result in float64."""

    def __init__(self, case: MixConvCase, *, group: int, per_group: int, activation: str, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.case, self.group, self.activation = case, group, activation
        height, width = case.branches[0].input_size
        self.weight = generator.standard_normal((case.channels, per_group, 1, 1)).astype(np.float32)
        self.bias = generator.standard_normal(case.channels).astype(np.float32)
        self.images = generator.standard_normal((3, group * per_group, height, width)).astype(np.float32)

    def model(self) -> ir.Model:
        sketch = Sketch()
        sketch.input("x", (1, *self.images.shape[1:]))
        inputs = ["x", sketch.constant("expand.weight", self.weight), sketch.constant("expand.bias", self.bias)]
        last = sketch.node("Conv", inputs, "expanded", module="block.expand", group=self.group)
        if self.activation == "silu":
            gate = sketch.node("Sigmoid", [last], "gate", module="block.act")
            last = sketch.node("Mul", [last, gate], "active", module="block.act")
        elif self.activation == "Clip":
            limits = [sketch.constant(f"limit{value:g}", value) for value in (0.0, 6.0)]
            last = sketch.node("Clip", [last, *limits], "active", module="block.act")
        elif self.activation != "none":
            attributes = {"alpha": 0.2} if self.activation == "LeakyRelu" else {}
            last = sketch.node(self.activation, [last], "active", module="block.act", **attributes)
        self.case.add_to(sketch, last, "y")
        return sketch.model("y")

    def expected(self) -> np.ndarray:
        weight, bias = torch.from_numpy(self.weight).double(), torch.from_numpy(self.bias).double()
        images = torch.from_numpy(self.images).double()
        expanded = functional.conv2d(images, weight, bias, groups=self.group)
        return self.case.expected(ACTIVATIONS[self.activation](expanded).numpy())


@st.composite
def expanded_cases(draw: st.DrawFn) -> Expanded:
    case = draw(mixconv_cases())
    divisors = [number for number in range(1, case.channels + 1) if case.channels % number == 0]
    return Expanded(
        case,
        group=draw(st.sampled_from(divisors)),
        per_group=draw(st.integers(1, 3)),
        activation=draw(st.sampled_from(sorted(ACTIVATIONS))),
        seed=draw(seeds),
    )


@exact_rule
@given(expanded=expanded_cases(), size=st.sampled_from([1, 2, 3, None]))
def test_equals_the_definition_with_any_groups_and_activation(expanded: Expanded, size: int | None) -> None:
    model = expanded.model()
    lowered(model, size, mixconv="hoisted")
    count = size or 3
    assert_same(expanded.expected()[:count], run(model, {"x": expanded.images[:count]})["y"])
    assert operators(model)["Split"] == (expanded.group > 1)
    assert operators(model)["Concat"] == 1


def plain(group: int = 1, in_channels: tuple[int, ...] = (4, 2)) -> Expanded:
    case = mixconv_case(in_channels=in_channels, kernels=(3, 5)[: len(in_channels)])
    return Expanded(case, group=group, per_group=2, activation="silu", seed=1)


def layer_of(model: ir.Model) -> MixConvLayer:
    return read_mixconv(produced_by(model, "y"))


def test_each_branch_has_its_own_rows_of_the_expansion() -> None:
    expanded = plain()
    model = expanded.model()
    record = lowered(model, None, mixconv="hoisted")
    assert operators(model) == {"Conv": 4, "Sigmoid": 2, "Mul": 2, "Concat": 1}
    first = constant(node_of(model, "Conv").inputs[1])
    assert first is not None
    np.testing.assert_array_equal(first, expanded.weight[:4])
    # The expansion is another layer: its weights are not counted here.
    assert record.weight_bytes == 4 * (4 * 9 + 2 * 25 + 6)


def test_pieces_end_at_branches_and_at_groups() -> None:
    model = plain(group=2).model()
    layer = layer_of(model)
    expansion = find_expansion(layer.x)
    assert expansion is not None
    pieces = cut(layer, expansion)
    assert [(piece.start, piece.stop, piece.group) for piece in pieces] == [(0, 3, 0), (3, 4, 1), (4, 6, 1)]
    assert [piece.branch.settings.kernel for piece in pieces] == [(3, 3), (3, 3), (5, 5)]
    assert [piece.branch.settings.group for piece in pieces] == [3, 1, 2]
    np.testing.assert_array_equal(pieces[1].branch.weight_oihw, layer.branches[0].weight_oihw[3:])


def test_what_cannot_be_hoisted_is_refused() -> None:
    layer = layer_of(mixconv_case().sketch().model("y"))
    assert FORM.refuse(layer, BatchAxis(size=1)) == FormRefusal(
        reason="`hoisted` needs a convolution (and activation) in front whose output only this layer reads"
    )
    mixing = mixconv_case(in_channels=(2, 4), out_channels=(4, 2), kernels=(3, 5), groups=(1, 2))
    assert FORM.refuse(layer_of(mixing.sketch().model("y")), BatchAxis(size=1)) == FormRefusal(
        reason="`hoisted` needs depthwise branches: these mix channels"
    )
    assert FORM.refuse(layer_of(plain().model()), BatchAxis(size=None)) is None


@pytest.mark.parametrize("count", [1, 3])
def test_slices_of_another_branch_would_be_noticed(count: int) -> None:
    expanded = plain(in_channels=(3, 3))
    model = expanded.model()
    lowered(model, None, mixconv="hoisted")
    first, second = (node_of(model, "Conv", index) for index in (0, 2))
    one, two = first.inputs[1], second.inputs[1]
    first.replace_input_with(1, two)
    second.replace_input_with(1, one)
    assert_different(expanded.expected()[:count], run(model, {"x": expanded.images[:count]})["y"])
