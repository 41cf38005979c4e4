"""Small graphs for the tests of the exporters: building, running in ONNX Runtime, comparing, and random layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import torch
from hypothesis import settings
from hypothesis import strategies as st

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.graph.facts import MODULE_KEY
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.driver import lower
from condmix.exporters.named.condconv import DOMAIN, ConvSettings
from condmix.exporters.named.functions import attach_functions
from condmix.exporters.records import LayerRecord, RewriteStep
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.rewrite.rule import Rule
from condmix.models.reference import condconv_reference, mixconv_reference
from condmix.runtime.onnx_session import OnnxRuntimeBackend

OPSET = 18

exact_rule = settings(deadline=None, derandomize=True, max_examples=25)
"""The profile of all property tests of the exporters: the same examples on every run, a second or less each test."""

FLOAT32_LIMIT = 1e-6
"""Of the largest element, or of one: what summing up to a few hundred terms of that size in float32 may be off."""

seeds = st.integers(0, 2**32 - 1)

Array = np.ndarray


class Sketch:
    """A graph under construction. Values are names; `model` infers all shapes and checks the result."""

    def __init__(self, *, opset: int = OPSET) -> None:
        self._opset = opset
        self._inputs: dict[str, tuple[int, Sequence[int]]] = {}
        self._constants: dict[str, Array] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._shapes: dict[str, Sequence[int]] = {}

    def input(self, name: str, shape: Sequence[int], *, element_type: int = onnx.TensorProto.FLOAT) -> str:
        self._inputs[name] = (element_type, shape)
        return name

    def constant(self, name: str, content: Array | float | Sequence[int]) -> str:
        """An initializer; a plain sequence of integers is an int64 vector, a float a float32 scalar."""
        if isinstance(content, float):
            content = np.asarray(content, dtype=np.float32)
        self._constants[name] = np.asarray(content, dtype=None if isinstance(content, np.ndarray) else np.int64)
        return name

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        *,
        module: str = "",
        domain: str = "",
        shape: Sequence[int] | None = None,
        **attributes: object,
    ) -> str:
        """A node with the named outputs; returns the first. `shape` is needed for a named operator only."""
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        node = onnx.helper.make_node(op_type, list(inputs), names, name=f"node_{names[0]}", domain=domain, **attributes)
        node.metadata_props.add(key=MODULE_KEY, value=module)
        self._nodes.append(node)
        if shape is not None:
            self._shapes[names[0]] = shape
        return names[0]

    def batchnorm(self, x: str, output: str, norm: BatchNorm, *, module: str = "norm") -> str:
        """An inference BatchNormalization with these statistics."""
        names = [
            self.constant(f"{output}.{role}", array)
            for role, array in zip(("gamma", "beta", "mean", "variance"), norm.statistics, strict=True)
        ]
        return self.node("BatchNormalization", [x, *names], output, module=module, epsilon=norm.epsilon)

    def model(self, *outputs: str) -> ir.Model:
        """The finished graph with all shapes inferred."""
        float_type = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            self._nodes,
            "sketch",
            [onnx.helper.make_tensor_value_info(name, *kind) for name, kind in self._inputs.items()],
            [onnx.helper.make_tensor_value_info(name, float_type, None) for name in outputs],
            [onnx.numpy_helper.from_array(array, name) for name, array in self._constants.items()],
            value_info=[
                onnx.helper.make_tensor_value_info(name, float_type, shape) for name, shape in self._shapes.items()
            ],
        )
        imports = [onnx.helper.make_opsetid("", self._opset), onnx.helper.make_opsetid(DOMAIN, 1)]
        proto = onnx.helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
        for output in proto.graph.output:
            if output.name in self._shapes:
                output.CopyFrom(
                    onnx.helper.make_tensor_value_info(output.name, float_type, self._shapes[output.name])
                )
            else:
                output.type.Clear()
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        return ir.from_proto(inferred)


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """Statistics of an inference BatchNorm: a scale and shift that no test may mistake for the identity."""

    statistics: tuple[Array, Array, Array, Array]
    epsilon: float

    @classmethod
    def random(cls, generator: np.random.Generator, channels: int) -> BatchNorm:
        gamma = generator.uniform(0.5, 1.5, channels) * generator.choice([-1.0, 1.0], channels)
        beta, mean = generator.normal(0, 0.5, (2, channels)) + 0.5
        arrays = (gamma, beta, mean, generator.uniform(0.3, 2.0, channels))
        gamma32, beta32, mean32, variance32 = (array.astype(np.float32) for array in arrays)
        return cls(statistics=(gamma32, beta32, mean32, variance32), epsilon=float(generator.choice([1e-5, 1e-3])))

    def apply(self, y: Array) -> Array:
        """In float64, from the definition."""
        gamma, beta, mean, variance = (
            array.astype(np.float64)[:, None, None] for array in self.statistics
        )
        result: Array = (y - mean) / np.sqrt(variance + self.epsilon) * gamma + beta
        return result


@dataclass(frozen=True, kw_only=True)
class ConvCase:
    """A random two-dimensional convolution: sizes only. `in_channels` and `out_channels` are of all groups."""

    in_channels: int
    out_channels: int
    settings: ConvSettings
    input_size: tuple[int, int]

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return (self.out_channels, self.in_channels // self.settings.group, *self.settings.kernel)

    @property
    def output_size(self) -> tuple[int, int]:
        return output_size(self.settings, self.input_size)

    def weights(self, generator: np.random.Generator, *lead: int) -> Array:
        """float32 of shape (*lead, out, in / group, height, width), such that outputs are of size one."""
        fan_in = int(np.prod(self.weight_shape[1:]))
        values = generator.standard_normal((*lead, *self.weight_shape)) / np.sqrt(fan_in)
        return values.astype(np.float32)

    def images(self, generator: np.random.Generator, count: int = 1) -> Array:
        return generator.standard_normal((count, self.in_channels, *self.input_size)).astype(np.float32)


def output_size(settings: ConvSettings, input_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width behind a convolution (ONNX operator spec, Conv)."""
    height, width = (
        (size + settings.pads[axis] + settings.pads[axis + 2] - extent(settings, axis)) // settings.strides[axis] + 1
        for axis, size in enumerate(input_size)
    )
    return height, width


def extent(settings: ConvSettings, axis: int) -> int:
    """From the first tap of the kernel to the last."""
    return (settings.kernel[axis] - 1) * settings.dilations[axis] + 1


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def conv_cases(draw: st.DrawFn, *, depthwise: bool | None = None, kernels: tuple[int, int] = (1, 5)) -> ConvCase:
    """Kernels odd and even, strides, dilations, groups, pads that differ on all four sides, odd sizes and channels."""
    if depthwise:
        group = draw(st.integers(2, 7))
        in_channels, out_channels = group, group * draw(st.integers(1, 2))
    else:
        group = draw(st.integers(1, 3))
        in_channels = group * draw(st.integers(1 if depthwise is None else 2, 4))
        out_channels = group * draw(st.integers(1, 4))
    top, left, bottom, right = (draw(st.integers(0, 3)) for _ in range(4))
    settings_ = ConvSettings(
        kernel=draw(pairs(*kernels)),
        strides=draw(pairs(1, 3)),
        pads=(top, left, bottom, right),
        dilations=draw(pairs(1, 2)),
        group=group,
    )
    height, width = (
        max(extent(settings_, axis) - settings_.pads[axis] - settings_.pads[axis + 2], 1) + draw(st.integers(0, 6))
        for axis in (0, 1)
    )
    return ConvCase(
        in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=(height, width)
    )


@dataclass(frozen=True, kw_only=True)
class CondConvCase:
    """A random CondConv with its numbers, its images and their routing."""

    conv: ConvCase
    experts_eoihw: Array
    bias_o: Array
    expert_bias_eo: Array | None
    images_nchw: Array
    routing_ne: Array

    @property
    def feeds(self) -> dict[str, Array]:
        return {"x": self.images_nchw, "routing": self.routing_ne}

    def one(self, index: int) -> dict[str, Array]:
        """The feeds of a single image."""
        return {name: array[index : index + 1] for name, array in self.feeds.items()}

    def add_to(self, sketch: Sketch, x: str, routing: str, output: str, *, module: str = "block.conv") -> str:
        """A named CondConv node with these numbers, at batch 1."""
        inputs = [
            x,
            routing,
            sketch.constant(f"{output}.experts", self.experts_eoihw),
            sketch.constant(f"{output}.bias", self.bias_o),
        ]
        operator = "CondConv"
        if self.expert_bias_eo is not None:
            operator = "CondConvExpertBias"
            inputs.append(sketch.constant(f"{output}.expert_bias", self.expert_bias_eo))
        shape = (1, self.conv.out_channels, *self.conv.output_size)
        attributes = dict(self.conv.settings.attributes())
        return sketch.node(operator, inputs, output, module=module, domain=DOMAIN, shape=shape, **attributes)

    def sketch(self) -> Sketch:
        """x and routing to y by the named node."""
        sketch = Sketch()
        sketch.input("x", (1, self.conv.in_channels, *self.conv.input_size))
        sketch.input("routing", (1, self.experts_eoihw.shape[0]))
        self.add_to(sketch, "x", "routing", "y")
        return sketch

    def expected(self) -> Array:
        """The plain loop over images and experts, float64."""
        top, left, bottom, right = self.conv.settings.pads
        bias = None if self.expert_bias_eo is None else torch.from_numpy(self.expert_bias_eo).double()
        mixed = condconv_reference(
            torch.from_numpy(self.images_nchw).double(),
            torch.from_numpy(self.routing_ne).double(),
            torch.from_numpy(self.experts_eoihw).double(),
            bias,
            stride=self.conv.settings.strides,
            pads=(top, bottom, left, right),
            dilation=self.conv.settings.dilations,
            groups=self.conv.settings.group,
        )
        result: Array = mixed.numpy() + self.bias_o.astype(np.float64)[:, None, None]
        return result


@st.composite
def condconv_cases(
    draw: st.DrawFn,
    *,
    images: int = 1,
    depthwise: bool | None = None,
    pointwise: bool = False,
    expert_bias: bool | None = None,
) -> CondConvCase:
    """CondConvs of one to five experts whose routings neither sum to one nor stay positive."""
    kernels = (1, 1) if pointwise else (1, 5)
    conv = draw(conv_cases(depthwise=depthwise, kernels=kernels))
    experts = draw(st.integers(1, 5))
    has_expert_bias = draw(st.booleans()) if expert_bias is None else expert_bias
    has_bias = draw(st.booleans())
    generator = np.random.default_rng(draw(seeds))
    channels = conv.out_channels
    bias = generator.standard_normal(channels) if has_bias else np.zeros(channels)
    return CondConvCase(
        conv=conv,
        experts_eoihw=conv.weights(generator, experts),
        bias_o=bias.astype(np.float32),
        expert_bias_eo=generator.standard_normal((experts, channels)).astype(np.float32) if has_expert_bias else None,
        images_nchw=conv.images(generator, images),
        routing_ne=generator.uniform(-0.5, 1.5, (images, experts)).astype(np.float32),
    )


def condconv_case(
    *,
    images: int = 2,
    in_channels: int = 4,
    out_channels: int = 6,
    kernel: tuple[int, int] = (3, 3),
    group: int = 1,
    experts: int = 3,
    expert_bias: bool = False,
    input_size: tuple[int, int] = (7, 5),
    seed: int = 0,
) -> CondConvCase:
    """One plain CondConv with a bias, padded symmetrically."""
    settings_ = ConvSettings(
        kernel=kernel,
        strides=(1, 1),
        pads=(kernel[0] // 2, kernel[1] // 2, kernel[0] // 2, kernel[1] // 2),
        dilations=(1, 1),
        group=group,
    )
    conv = ConvCase(in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=input_size)
    generator = np.random.default_rng(seed)
    bias_eo = generator.standard_normal((experts, out_channels)).astype(np.float32)
    return CondConvCase(
        conv=conv,
        experts_eoihw=conv.weights(generator, experts),
        bias_o=generator.standard_normal(out_channels).astype(np.float32),
        expert_bias_eo=bias_eo if expert_bias else None,
        images_nchw=conv.images(generator, images),
        routing_ne=generator.uniform(-0.5, 1.5, (images, experts)).astype(np.float32),
    )


@dataclass(frozen=True, kw_only=True)
class MixConvCase:
    """A random MixConv: branches with their own kernels whose outputs have one size, and its images."""

    branches: tuple[ConvCase, ...]
    weights_oihw: tuple[Array, ...]
    biases_o: tuple[Array, ...]
    images_nchw: Array

    @property
    def channels(self) -> int:
        return sum(branch.in_channels for branch in self.branches)

    @property
    def out_channels(self) -> int:
        return sum(branch.out_channels for branch in self.branches)

    @property
    def output_size(self) -> tuple[int, int]:
        return self.branches[0].output_size

    def add_to(self, sketch: Sketch, x: str, output: str, *, module: str = "block.mix") -> str:
        """A named MixConv node with these numbers, at batch 1."""
        weights = [sketch.constant(f"{output}.weight_{i}", array) for i, array in enumerate(self.weights_oihw)]
        biases = [sketch.constant(f"{output}.bias_{i}", array) for i, array in enumerate(self.biases_o)]
        attributes: dict[str, object] = {
            "split": [branch.in_channels for branch in self.branches],
            "strides": self.branches[0].settings.strides,
        }
        for index, branch in enumerate(self.branches):
            attributes[f"kernel_shape_{index}"] = branch.settings.kernel
            attributes[f"pads_{index}"] = branch.settings.pads
            attributes[f"dilations_{index}"] = branch.settings.dilations
            attributes[f"group_{index}"] = branch.settings.group
        shape = (1, self.out_channels, *self.output_size)
        operator = f"MixConv{len(self.branches)}"
        return sketch.node(
            operator, [x, *weights, *biases], output, module=module, domain=DOMAIN, shape=shape, **attributes
        )

    def sketch(self) -> Sketch:
        """x to y by the named node."""
        sketch = Sketch()
        sketch.input("x", (1, self.channels, *self.branches[0].input_size))
        self.add_to(sketch, "x", "y")
        return sketch

    def expected(self, x_nchw: Array | None = None) -> Array:
        """Branch by branch in float64; depthwise branches by the oracle, one channel at a time."""
        x = torch.from_numpy(self.images_nchw if x_nchw is None else x_nchw).double()
        first = 0
        parts: list[torch.Tensor] = []
        for branch, weight in zip(self.branches, self.weights_oihw, strict=True):
            piece = x[:, first : first + branch.in_channels]
            top, left, bottom, right = branch.settings.pads
            double = torch.from_numpy(weight).double()
            if branch.settings.group == branch.in_channels == branch.out_channels and _is_square(branch.settings):
                settings_ = branch.settings
                padded = [(top, bottom, left, right)]
                parts.append(
                    mixconv_reference(
                        piece, [double], stride=settings_.strides[0], pads=padded, dilations=[settings_.dilations[0]]
                    )
                )
            else:
                whole = torch.nn.functional.pad(piece, (left, right, top, bottom))
                settings_ = branch.settings
                parts.append(
                    torch.nn.functional.conv2d(
                        whole, double, None, settings_.strides, 0, settings_.dilations, settings_.group
                    )
                )
            first += branch.in_channels
        bias = np.concatenate(self.biases_o).astype(np.float64)[:, None, None]
        result: Array = torch.cat(parts, dim=1).numpy() + bias
        return result


def _is_square(settings_: ConvSettings) -> bool:
    return settings_.strides[0] == settings_.strides[1] and settings_.dilations[0] == settings_.dilations[1]


@st.composite
def mixconv_cases(
    draw: st.DrawFn, *, images: int = 1, depthwise: bool = True, branches: tuple[int, int] = (2, 4)
) -> MixConvCase:
    """Branches of uneven channels, kernels, dilations and pads whose outputs have one size all the same."""
    strides = draw(pairs(1, 3))
    input_size = draw(pairs(1, 9))
    shapes = [(draw(pairs(1, 5)), draw(pairs(1, 2))) for _ in range(draw(st.integers(*branches)))]
    extents = [[(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)] for kernel, dilations in shapes]
    # No branch can see fewer positions than its pads of zero give it.
    least = [
        max(-(-(input_size[axis] - min(item[axis] for item in extents) + 1) // strides[axis]), 1) for axis in (0, 1)
    ]
    out = [count + draw(st.integers(0, 2)) for count in least]
    cases: list[ConvCase] = []
    for (kernel, dilations), extents_hw in zip(shapes, extents, strict=True):
        leading, trailing = [0, 0], [0, 0]
        for axis in (0, 1):
            needed = (out[axis] - 1) * strides[axis] + extents_hw[axis] - input_size[axis]
            # Up to stride - 1 rows at the end may stay unseen.
            total = draw(st.integers(max(needed, 0), needed + strides[axis] - 1))
            leading[axis] = draw(st.integers(0, total))
            trailing[axis] = total - leading[axis]
        group = draw(st.integers(1, 3))
        if depthwise:
            in_channels = out_channels = group
        else:
            in_channels, out_channels = group * draw(st.integers(1, 3)), group * draw(st.integers(1, 3))
        settings_ = ConvSettings(
            kernel=kernel, strides=strides, pads=(*leading, *trailing), dilations=dilations, group=group
        )
        cases.append(
            ConvCase(
                in_channels=in_channels, out_channels=out_channels, settings=settings_, input_size=input_size
            )
        )
    return _with_numbers(cases, images, draw(seeds))


def _with_numbers(cases: Sequence[ConvCase], images: int, seed: int) -> MixConvCase:
    generator = np.random.default_rng(seed)
    shape = (images, sum(case.in_channels for case in cases), *cases[0].input_size)
    return MixConvCase(
        branches=tuple(cases),
        weights_oihw=tuple(case.weights(generator) for case in cases),
        biases_o=tuple(generator.standard_normal(case.out_channels).astype(np.float32) for case in cases),
        images_nchw=generator.standard_normal(shape).astype(np.float32),
    )


def mixconv_case(
    *,
    in_channels: Sequence[int] = (3, 2, 4),
    out_channels: Sequence[int] | None = None,
    kernels: Sequence[int] = (3, 5, 7),
    groups: Sequence[int] | None = None,
    stride: int = 1,
    input_size: tuple[int, int] = (9, 8),
    images: int = 2,
    seed: int = 0,
) -> MixConvCase:
    """A plain MixConv padded symmetrically; depthwise unless told."""
    cases = [
        ConvCase(
            in_channels=inputs,
            out_channels=outputs,
            settings=ConvSettings(
                kernel=(kernel, kernel),
                strides=(stride, stride),
                pads=(kernel // 2,) * 4,  # type: ignore[arg-type]
                dilations=(1, 1),
                group=group,
            ),
            input_size=input_size,
        )
        for inputs, outputs, kernel, group in zip(
            in_channels, out_channels or in_channels, kernels, groups or in_channels, strict=True
        )
    ]
    return _with_numbers(cases, images, seed)


def to_bytes(model: ir.Model) -> bytes:
    """The checked file content of a graph as it stands, with functions for its named nodes."""
    copy = model.clone()
    attach_functions(copy)
    proto = ir.to_proto(copy)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def run(model: ir.Model | onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """All outputs of a graph in ONNX Runtime, after onnx.checker has passed it."""
    content = to_bytes(model) if isinstance(model, ir.Model) else model.SerializeToString()
    session = OnnxRuntimeBackend().open(content, threads=1)
    return {name: np.asarray(array) for name, array in session.run(dict(feeds)).items()}


def rewrite(model: ir.Model, *rules: Rule) -> tuple[RewriteStep, ...]:
    """Apply rules in place; no value may be called by another name afterwards: outputs keep theirs."""
    outputs = [value.name for value in model.graph.outputs]
    steps = run_rules(model, rules)
    assert [value.name for value in model.graph.outputs] == outputs
    return steps


def operators(model: ir.Model) -> Counter[str]:
    """How many nodes there are of each operator."""
    return Counter(node.op_type for node in model.graph)


def node_of(model: ir.Model, op_type: str, index: int = 0) -> ir.Node:
    """The node of that operator (the first unless told)."""
    return [node for node in model.graph if node.op_type == op_type][index]


def attributes_of(node: ir.Node) -> dict[str, object]:
    """Attributes as plain data."""
    plain = {name: attribute.value for name, attribute in node.attributes.items()}
    return {name: tuple(value) if isinstance(value, list | tuple) else value for name, value in plain.items()}


def produced_by(model: ir.Model, name: str) -> ir.Node:
    """The node that computes the value of that name."""
    return next(node for node in model.graph for output in node.outputs if output.name == name)


def with_batch(model: ir.Model, size: int | None) -> BatchAxis:
    """Give a batch-1 graph a batch axis in place; None for any number."""
    batch = BatchAxis(size=size)
    generalise(model, batch)
    return batch


def lowered(model: ir.Model, size: int | None, *, condconv: str = "auto", mixconv: str = "auto") -> LayerRecord:
    """Give the graph of a single layer its batch and its form, in place; the record of the layer."""
    outputs = [value.name for value in model.graph.outputs]
    (record,) = lower(model, with_batch(model, size), condconv=condconv, mixconv=mixconv)
    assert [value.name for value in model.graph.outputs] == outputs
    assert all(node.domain == "" for node in model.graph)
    return record


def rounding_error(expected: Array, actual: Array) -> float:
    """The largest difference, in units of the largest expected element or of one."""
    assert actual.shape == expected.shape, f"{actual.shape} instead of {expected.shape}"
    assert np.isfinite(actual).all()
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0)
    return float(difference / max(np.abs(expected).max(initial=0.0), 1.0))


def assert_same(expected: Array, actual: Array) -> None:
    """Equal up to the rounding of float32."""
    error = rounding_error(expected, actual)
    assert error <= FLOAT32_LIMIT, f"off by {error:.1e}, {FLOAT32_LIMIT:.0e} is allowed"


def assert_different(expected: Array, actual: Array) -> None:
    """For the tests of the comparison itself: a fault is far outside of what rounding explains."""
    assert actual.shape != expected.shape or rounding_error(expected, actual) > 100 * FLOAT32_LIMIT
