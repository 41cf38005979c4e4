"""A small convolutional network, and what onnxruntime.quantization makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

IMAGE_CHW = (3, 16, 16)
STEM, DEPTHWISE, POINTWISE, CLASSIFIER = 12 * 256 * 27, 12 * 256 * 9, 20 * 256 * 12, 20 * 10
"""Multiply-adds of its four products; 12 channels fill no whole block of the runtime."""
TOTAL = STEM + DEPTHWISE + POINTWISE + CLASSIFIER


@cache
def float_net() -> bytes:
    """image[n, 3, 16, 16] -> stem, depthwise with SiLU, pointwise with a constant added, mean, classifier[n, 10]."""
    generator = np.random.default_rng(0)
    shapes = {
        "stem.weight": (12, 3, 3, 3), "stem.bias": (12,),
        "blocks.0.dw.weight": (12, 1, 3, 3), "blocks.0.dw.bias": (12,),
        "blocks.0.pw.weight": (20, 12, 1, 1), "blocks.0.pw.bias": (20,),
        "classifier.weight": (10, 20), "classifier.bias": (10,),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight", "stem.bias"], ["stem"], name="/stem/Conv", pads=[1] * 4),
        helper.make_node("Relu", ["stem"], ["positive"], name="/act/Relu"),
        helper.make_node(
            "Conv",
            ["positive", "blocks.0.dw.weight", "blocks.0.dw.bias"],
            ["deep"],
            name="/blocks.0/dw/Conv",
            pads=[1] * 4,
            group=12,
        ),
        helper.make_node("Sigmoid", ["deep"], ["gate"], name="/blocks.0/act/Sigmoid"),
        helper.make_node("Mul", ["deep", "gate"], ["silu"], name="/blocks.0/act/Mul"),
        helper.make_node(
            "Conv", ["silu", "blocks.0.pw.weight", "blocks.0.pw.bias"], ["wide"], name="/blocks.0/pw/Conv"
        ),
        helper.make_node("GlobalAveragePool", ["wide"], ["mean"], name="/pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["mean"], ["flat"], name="/Flatten"),
        helper.make_node(
            "Gemm",
            ["flat", "classifier.weight", "classifier.bias"],
            ["logits"],
            name="/classifier/Gemm",
            transB=1,
        ),
    ]
    constants = [
        numpy_helper.from_array((0.2 * generator.standard_normal(shape)).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", *IMAGE_CHW])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class _Images(CalibrationDataReader):
    def __init__(self) -> None:
        generator = np.random.default_rng(1)
        self._left: Iterator[np.ndarray] = iter(generator.random((4, 1, *IMAGE_CHW)).astype(np.float32))

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._left, None)
        return None if image is None else {"image": image}


def write_float(folder: Path) -> Path:
    """The network as it is."""
    path = folder / "float.onnx"
    path.write_bytes(float_net())
    return path


def write_static(
    folder: Path,
    *,
    activations: QuantType = QuantType.QUInt8,
    style: QuantFormat = QuantFormat.QDQ,
    left_out: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
) -> Path:
    """quantize_static of the network: without the nodes `left_out`, of the operators `only` when there are any."""
    path = folder / "static.onnx"
    quantize_static(
        write_float(folder),
        path,
        _Images(),
        quant_format=style,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=style is QuantFormat.QDQ,
        nodes_to_exclude=list(left_out),
        op_types_to_quantize=list(only) or None,
    )
    return path


def write_dynamic(folder: Path) -> Path:
    """quantize_dynamic of the network."""
    path = folder / "dynamic.onnx"
    quantize_dynamic(write_float(folder), path, weight_type=QuantType.QUInt8)
    return path


def write_weights_only(folder: Path) -> Path:
    """The network with each kernel stored as int8 and dequantised, and nothing else quantised."""
    model = onnx.load_model_from_string(float_net())
    kernels = [tensor for tensor in model.graph.initializer if tensor.name.endswith(".weight")]
    for kernel in kernels:
        values = np.round(127 * np.clip(numpy_helper.to_array(kernel), -1, 1)).astype(np.int8)
        model.graph.initializer.remove(kernel)
        stored = f"{kernel.name}_quantized"
        model.graph.initializer.append(numpy_helper.from_array(values, stored))
        scale = numpy_helper.from_array(np.array(1 / 127, np.float32), f"{kernel.name}_scale")
        model.graph.initializer.append(scale)
        unpack = helper.make_node("DequantizeLinear", [stored, scale.name], [kernel.name], name=f"{kernel.name}_unpack")
        model.graph.node.insert(0, unpack)
    path = folder / "weights_only.onnx"
    onnx.save(model, path)
    return path
