"""Small networks with a CondConv, as other people's exporters would write them, and steps written down by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.profile.records import Rate, Roof
from condmix.runtime.profile.step import Family, Step, StepGraph
from tests.runtime.audit.tflite_models import convolution_options
from tests.runtime.conftest import build
from tests.runtime.tflite_files import Operator, build_tflite, depthwise_options

CHANNELS, EXPERTS = 16, 4
ROOF = Roof(
    float_multiply_adds=Rate(per_second=1e9, how="said so"),
    int8_multiply_adds=Rate(per_second=4e9, how="said so"),
    bandwidth=Rate(per_second=1e8, how="said so"),
)


def step(
    text: str,
    *,
    family: Family = Family.ELEMENTWISE,
    module: str | None = None,
    time_us: float = 1.0,
    kernel: str | None = None,
    arithmetic: Arithmetic = Arithmetic.FLOAT,
    multiply_adds: int = 0,
    size_bytes: int = 0,
) -> Step:
    """`Mul a b > c` reads a and b and writes c."""
    left, _, right = text.partition(">")
    operator, *inputs = left.split()
    return Step(
        operator=operator,
        module=module,
        family=family,
        arithmetic=arithmetic,
        inputs=tuple(inputs),
        outputs=tuple(right.split()),
        kernel=kernel,
        time_us=time_us,
        multiply_adds=multiply_adds,
        size_bytes=size_bytes,
    )


def graph(steps: Sequence[Step], shapes: Mapping[str, Sequence[int]] | None = None) -> StepGraph:
    """The steps with the shapes of their values."""
    return StepGraph(steps=tuple(steps), shapes={name: tuple(shape) for name, shape in (shapes or {}).items()})


def condconv_onnx(*, named: bool = True) -> bytes:
    """image[1, 3, 16, 16] -> stem -> CondConv, its kernel mixed from 4 experts -> y. named: as TorchScript does."""
    generator = np.random.default_rng(0)

    def node(operator: str, inputs: Sequence[str], output: str, scope: str, **attributes: object):
        name = f"/{scope}/{operator}" if named else ""
        return helper.make_node(operator, inputs, [output], name=name, **attributes)

    block = "blocks/blocks.0/blocks.0.1"
    nodes = [
        node("Conv", ["image", "w0"], "stem", "conv_stem", pads=[1] * 4),
        node("Relu", ["stem"], "positive", "act"),
        node("GlobalAveragePool", ["positive"], "pooled", f"{block}/routing"),
        node("Flatten", ["pooled"], "flat", f"{block}/routing"),
        node("Gemm", ["flat", "w1"], "scores", f"{block}/routing", transB=1),
        node("Sigmoid", ["scores"], "gates", f"{block}/routing"),
        node("MatMul", ["gates", "bank"], "mixed", f"{block}/conv_pw"),
        node("Reshape", ["mixed", "kernel_shape"], "kernel", f"{block}/conv_pw"),
        node("Conv", ["positive", "kernel"], "y", f"{block}/conv_pw"),
    ]
    constants = {
        "w0": generator.standard_normal((CHANNELS, 3, 3, 3)).astype(np.float32),
        "w1": generator.standard_normal((EXPERTS, CHANNELS)).astype(np.float32),
        "bank": generator.standard_normal((EXPERTS, CHANNELS * CHANNELS)).astype(np.float32),
        "kernel_shape": np.array([CHANNELS, CHANNELS, 1, 1], np.int64),
    }
    return build(nodes, inputs={"image": [1, 3, 16, 16]}, outputs={"y": [1, CHANNELS, 16, 16]}, constants=constants)


def condconv_tflite(size: int = 8) -> bytes:
    """image[1, size, size, 16] -> 1x1 convolution -> depthwise CondConv, its kernel mixed from 4 experts -> ABS."""
    generator = np.random.default_rng(0)
    mean = schema.ReducerOptionsT()
    mean.keepDims = False
    reshape = schema.ReshapeOptionsT()
    reshape.newShape = [1, 3, 3, CHANNELS]
    full = schema.FullyConnectedOptionsT()
    image, block = (1, size, size, CHANNELS), "blocks.0.conv_dw"
    tensors = {
        "image": (image, "float32"),
        "w0": generator.standard_normal((CHANNELS, 1, 1, CHANNELS)).astype(np.float32),
        "b0": np.zeros(CHANNELS, np.float32),
        "stem:y": (image, "float32"),
        "axes": np.array([1, 2], np.int32),
        "blocks.0.routing:pooled": ((1, CHANNELS), "float32"),
        "w1": generator.standard_normal((EXPERTS, CHANNELS)).astype(np.float32),
        "blocks.0.routing:scores": ((1, EXPERTS), "float32"),
        "blocks.0.routing:gates": ((1, EXPERTS), "float32"),
        "bank": generator.standard_normal((9 * CHANNELS, EXPERTS)).astype(np.float32),
        f"{block}/mix_kernels": ((1, 9 * CHANNELS), "float32"),
        "shape": np.array([1, 3, 3, CHANNELS], np.int32),
        f"{block}/kernel": ((1, 3, 3, CHANNELS), "float32"),
        f"{block}:y": ((1, size - 2, size - 2, CHANNELS), "float32"),
        "act:z": ((1, size - 2, size - 2, CHANNELS), "float32"),
    }

    def operator(name: str, inputs: Sequence[str], output: str, options: object = None) -> Operator:
        return Operator(name=name, inputs=inputs, outputs=[output], options=options)

    operators = [
        operator("CONV_2D", ["image", "w0", "b0"], "stem:y", convolution_options()),
        operator("MEAN", ["stem:y", "axes"], "blocks.0.routing:pooled", mean),
        operator("FULLY_CONNECTED", ["blocks.0.routing:pooled", "w1", ""], "blocks.0.routing:scores", full),
        operator("LOGISTIC", ["blocks.0.routing:scores"], "blocks.0.routing:gates"),
        operator("FULLY_CONNECTED", ["blocks.0.routing:gates", "bank", ""], f"{block}/mix_kernels", full),
        operator("RESHAPE", [f"{block}/mix_kernels", "shape"], f"{block}/kernel", reshape),
        operator("DEPTHWISE_CONV_2D", ["stem:y", f"{block}/kernel", "b0"], f"{block}:y", depthwise_options()),
        operator("ABS", [f"{block}:y"], "act:z"),
    ]
    return build_tflite(tensors, operators, inputs=["image"], outputs=["act:z"])
