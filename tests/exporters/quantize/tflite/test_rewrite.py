"""Twins are made once and on demand; nothing that is slow or wrong in the delegate is ever written."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.exporters.build import Prepared
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.build import build_int8
from condmix.exporters.quantize.tflite.options import INT8_MODES, TfliteInt8Options
from condmix.exporters.tflite.schema import Operator, TensorType
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.condconv_cases import CondConvCase, condconv_case
from tests.exporters.conv_cases import exact_rule, seeds
from tests.exporters.graphs import run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.quantize.tflite.calibrated import Feeds, built, outputs, quality_db, rows_of
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.random_steps import STEPS, Step
from tests.exporters.tflite.running import open_file, operator_names, read_back

ROUNDING_STEPS = 2
"""How far the delegate and the builtin kernels may round apart, in steps of an int8 result."""
LEAST_DB = 20
"""What any small network keeps of its signal; of mistaken scales it keeps less than 10."""


def as_int8(content: bytes, feeds: Feeds) -> Feeds:
    """Feeds for a file with int8 ends."""
    model = read_back(content)
    made = {}
    for entry in model.signatureDefs[0].inputs:
        own = model.subgraphs[0].tensors[entry.tensorIndex].quantization
        steps = np.rint(feeds[entry.name.decode()] / own.scale[0]) + own.zeroPoint[0]
        made[entry.name.decode()] = np.clip(steps, -128, 127).astype(np.int8)
    return made


def as_real(content: bytes, stored: np.ndarray) -> np.ndarray:
    model = read_back(content)
    own = model.subgraphs[0].tensors[model.signatureDefs[0].outputs[0].tensorIndex].quantization
    return (stored.astype(np.float64) - own.zeroPoint[0]) * own.scale[0]


def assert_close(content: bytes, feeds: Feeds, expected: np.ndarray, least_db: float) -> None:
    """The file gives what it should, and the delegate what the builtin kernels give, up to ROUNDING_STEPS."""
    given = as_int8(content, feeds)
    with_delegate, without = (outputs(content, given, delegate=choice)["y"] for choice in (True, False))
    assert np.abs(with_delegate.astype(int) - without).max() <= ROUNDING_STEPS
    assert quality_db(expected, as_real(content, with_delegate)) > least_db


CONDCONVS = {
    "1x1": condconv_case(kernel=(1, 1), images=6),
    "3x3": condconv_case(images=6),
    "groups": condconv_case(group=2, images=6),
    "expert bias": condconv_case(expert_bias=True, images=6),
    "depthwise": condconv_case(in_channels=6, group=6, kernel=(5, 5), images=6),
}


@pytest.mark.parametrize("case", CONDCONVS.values(), ids=CONDCONVS)
def test_condconv(case: CondConvCase) -> None:
    made = built(case.sketch().model("y"), case.feeds, io_dtype="int8")
    assert_close(made.content, case.feeds, case.expected(), 32)
    left = dict(coverage(open_file(made.content)).not_delegated)
    assert left == ({"DEPTHWISE_CONV_2D": 1} if case.conv.settings.group == 6 else {})


def test_a_strided_condconv_leaves_positions_out_without_rounding() -> None:
    generator = np.random.default_rng(1)
    case = condconv_case(images=6, kernel=(1, 1), input_size=(8, 8))
    sketch = Sketch()
    sketch.input("x", (1, 4, 8, 8))
    sketch.input("routing", (1, 3))
    bank = sketch.constant("experts", case.experts_eoihw)
    bias = sketch.constant("bias", case.bias_o)
    sketch.node(
        "CondConv",
        ["x", "routing", bank, bias],
        "y",
        module="m",
        domain="condmix",
        shape=(1, 6, 4, 4),
        kernel_shape=(1, 1),
        strides=(2, 2),
        pads=(0, 0, 0, 0),
        dilations=(1, 1),
        group=1,
    )
    feeds = {"x": generator.standard_normal((6, 4, 8, 8)).astype(np.float32), "routing": case.routing_ne}
    mixed = np.einsum("ne,eoi->noi", case.routing_ne, case.experts_eoihw[:, :, :, 0, 0])
    expected = np.einsum("noi,nihw->nohw", mixed, feeds["x"][:, :, ::2, ::2]) + case.bias_o[:, None, None]
    made = built(sketch.model("y"), feeds, io_dtype="int8")
    assert_close(made.content, feeds, expected, 32)
    graph = read_back(made.content).subgraphs[0]
    scales = {
        name: tensor.quantization.scale[0]
        for tensor in graph.tensors
        for name in [tensor.name.decode()]
        if "stride_0_0" in name or name == "x"
    }
    assert len(scales) == 2
    assert len(set(scales.values())) == 1


def test_mixconv_with_row_bands() -> None:
    case = mixconv_case(images=6)
    made = built(case.sketch().model("y"), {"x": case.images_nchw}, io_dtype="int8")
    assert_close(made.content, {"x": case.images_nchw}, case.expected(), 34)
    assert coverage(open_file(made.content)).complete


def test_bands_of_one_kernel_share_their_zero_biases_and_scales() -> None:
    """Each channel more that a band would store: a scale, a bias, and the scale of that."""
    case = mixconv_case(images=6)
    model = read_back(built(case.sketch().model("y"), {"x": case.images_nchw}).content)
    graph = model.subgraphs[0]
    kernels = {
        operator.inputs[1]: operator.inputs[2]
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == Operator.DEPTHWISE_CONV_2D
    }
    zeros = {
        bias
        for bias in kernels.values()
        if not np.frombuffer(bytes(model.buffers[graph.tensors[bias].buffer].data), np.int32).any()
    }
    bands = [kernel for kernel, bias in kernels.items() if bias in zeros]
    assert len(bands) > len(zeros)
    scales = {tuple(graph.tensors[kernel].quantization.scale) for kernel in kernels}
    assert len(scales) == len(case.branches) < len(kernels)


def block(*, activation: str) -> tuple[Sketch, Feeds]:
    """conv -> activation in a node of its own, joined by the input behind pooling."""
    generator = np.random.default_rng(0)
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    weight = sketch.constant("w", generator.standard_normal((4, 4, 3, 3)).astype(np.float32) / 3)
    sketch.node("Conv", ["x", weight], "a", kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    if activation == "Swish":
        sketch.node("Sigmoid", ["a"], "g")
        sketch.node("Mul", ["a", "g"], "b")
    elif activation == "Clip":
        limits = [sketch.constant("low", 0.0), sketch.constant("high", 6.0)]
        sketch.node("Clip", ["a", *limits], "b")
    else:
        sketch.node(activation, ["a"], "b")
    sketch.node("MaxPool", ["b"], "c", kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
    sketch.node("MaxPool", ["x"], "d", kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
    sketch.node("Add", ["c", "d"], "y")
    return sketch, {"x": 3 * generator.standard_normal((6, 4, 6, 6)).astype(np.float32)}


@pytest.mark.parametrize("activation", ["Relu", "Clip", "Swish", "Tanh", "LeakyRelu", "HardSwish"])
def test_activations(activation: str) -> None:
    sketch, feeds = block(activation=activation)
    made = built(sketch.model("y"), feeds, io_dtype="int8")
    expected = np.concatenate([run(sketch.model("y"), row)["y"] for row in rows_of(feeds)])
    assert_close(made.content, feeds, expected, 34)
    assert coverage(open_file(made.content)).complete
    names = operator_names(made.content)
    assert "RELU" not in names
    assert "RELU6" not in names


@pytest.mark.parametrize("mode", INT8_MODES)
def test_nothing_that_the_delegate_gets_wrong_is_written(both: Prepared, both_ranges: Ranges, mode: str) -> None:
    content = build_int8(both, both_ranges, TfliteInt8Options(mode=mode), {}, lambda _stage: None).content
    graph = read_back(content).subgraphs[0]
    seen: Counter[str] = Counter()
    for name, operator in zip(operator_names(content), graph.operators, strict=True):
        inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
        types = {tensor.type for tensor in inputs[:2]}
        if name == "BATCH_MATMUL":
            seen["matmul"] += 1
            # Float by int8 is wrong in the delegate; another zero point than 0 leaves it.
            assert len(types) == 1
            assert types == {TensorType.FLOAT32} or list(inputs[1].quantization.zeroPoint) == [0]
        if name == "DEPTHWISE_CONV_2D":
            seen["depthwise"] += 1
            stored = read_back(content).buffers[inputs[1].buffer].data is not None
            assert stored or inputs[1].type == TensorType.FLOAT32
            assert inputs[0].type == TensorType.FLOAT32 or inputs[1].type == TensorType.INT8
            assert (inputs[0].type == TensorType.FLOAT32) == (inputs[1].type == TensorType.FLOAT32)
        if name == "FULLY_CONNECTED" and inputs[1].type == TensorType.INT8:
            seen["mixing"] += 1
            # A scale a channel here is wrong in older runtimes.
            assert len(inputs[1].quantization.scale) == 1
    assert seen["matmul"] > 0
    assert seen["depthwise"] > 0
    assert (seen["mixing"] > 0) == (mode != "weights")


def test_names_are_unique_and_twins_made_once(both: Prepared, both_ranges: Ranges) -> None:
    content = build_int8(both, both_ranges, TfliteInt8Options(), {}, lambda _stage: None).content
    graph = read_back(content).subgraphs[0]
    names = [tensor.name for tensor in graph.tensors]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    assert repeated == []
    pairs = [
        (operator.inputs[0], graph.tensors[operator.outputs[0]].type)
        for name, operator in zip(operator_names(content), graph.operators, strict=True)
        if name in ("QUANTIZE", "DEQUANTIZE")
    ]
    assert len(pairs) == len(set(pairs)) > 0


def test_a_gate_beside_larger_numbers_keeps_its_scale_and_is_rescaled() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 6, 6))
    weight = sketch.constant("w", 5 * np.eye(4, dtype=np.float32)[:, :, None, None])
    sketch.node("Conv", ["x", weight], "a", kernel_shape=(1, 1))
    sketch.node("Sigmoid", ["a"], "gate")
    sketch.node("Concat", ["a", "gate"], "y", axis=1)
    feeds = {"x": np.random.default_rng(0).standard_normal((6, 4, 6, 6)).astype(np.float32)}
    expected = np.concatenate([5 * feeds["x"], 1 / (1 + np.exp(-5 * feeds["x"]))], axis=1)
    made = built(sketch.model("y"), feeds, io_dtype="int8")
    assert_close(made.content, feeds, expected, 34)
    assert operator_names(made.content).count("QUANTIZE") == 1


@exact_rule
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5),
    size=st.tuples(st.just(1), st.integers(1, 3), st.integers(2, 5), st.integers(2, 5)),
    seed=seeds,
    mode=st.sampled_from(INT8_MODES),
)
def test_random_networks(steps: list[Step], size: tuple[int, ...], seed: int, mode: str) -> None:
    sketch = Sketch()
    x, shape = sketch.input("x", size), size
    for index, step in enumerate((STEPS[0], *steps)):
        shape = step(sketch, x, f"v{index}", shape)
        x = f"v{index}"
    model = sketch.model(x)
    feeds = {"x": np.random.default_rng(seed).standard_normal((3, *size[1:])).astype(np.float32)}
    expected = np.concatenate([run(model, row)[x] for row in rows_of(feeds)])
    content = built(model, feeds, mode=mode).content
    for delegate in (True, False):
        assert quality_db(expected, outputs(content, feeds, delegate=delegate)[x]) > LEAST_DB
