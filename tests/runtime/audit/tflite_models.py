"""Small TFLite files in every arithmetic, written with the engine's own bindings."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.runtime.tflite_files import Operator, build_tflite, depthwise_options

CONV, DEPTHWISE, DENSE = 6 * 6 * 8 * 3 * 9, 6 * 6 * 8 * 9, 8 * 5
"""Multiply-adds of convolution, depthwise convolution and classifier."""
TOTAL = CONV + DEPTHWISE + DENSE
SCALE = (0.05, 0)


def convolution_options() -> schema.Conv2DOptionsT:
    """Stride 1, padded to the same size."""
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    return options


def _depthwise() -> schema.DepthwiseConv2DOptionsT:
    options = depthwise_options()
    options.padding = schema.Padding.SAME
    return options


def _mean() -> schema.ReducerOptionsT:
    options = schema.ReducerOptionsT()
    options.keepDims = False
    return options


def _kernel(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = np.random.default_rng(len(shape) + shape[0]).integers(-100, 100, shape)
    return values.astype(np.int8) if dtype == "int8" else (values / 127).astype(dtype)


def net(
    *,
    activations: str = "float32",
    weights: str = "float32",
    float_depthwise: bool = False,
    unpacked_weights: bool = False,
) -> bytes:
    """image[1, 6, 6, 3] -> CONV_2D -> DEPTHWISE_CONV_2D -> MEAN -> FULLY_CONNECTED -> logits[1, 5].

    Integer activations get QUANTIZE and DEQUANTIZE at both ends. float_depthwise: that one stays in float between
    DEQUANTIZE and QUANTIZE. unpacked_weights: the kernel of CONV_2D is stored in int8 and dequantised.
    The depthwise kernel beside float activations is always float: with a single scale, as all have here, the engine
    reads beyond it.
    """
    bias = np.float32 if activations == "float32" else np.int64 if activations == "int16" else np.int32
    inside = activations if activations == "float32" or not float_depthwise else "float32"
    tensors: dict = {
        "image": ((1, 6, 6, 3), "float32"),
        "a": ((1, 6, 6, 3), activations),
        "w1": _kernel((8, 3, 3, 3), weights),
        "b1": np.zeros(8, bias),
        "stem:conv": ((1, 6, 6, 8), activations),
        "c": ((1, 6, 6, 8), "float32"),
        "w2": _kernel((1, 3, 3, 8), "float32" if inside == "float32" else weights),
        "b2": np.zeros(8, np.float32 if inside == "float32" else bias),
        "deep:conv": ((1, 6, 6, 8), inside),
        "d": ((1, 6, 6, 8), activations),
        "axes": np.array([1, 2], np.int32),
        "mean": ((1, 8), activations),
        "w3": _kernel((5, 8), weights),
        "b3": np.zeros(5, bias),
        "e": ((1, 5), activations),
        "logits": ((1, 5), "float32"),
    }
    floating = activations == "float32"
    before, deep_in, deep_out = "image" if floating else "a", "stem:conv", "deep:conv"
    operators = [] if floating else [Operator(name="QUANTIZE", inputs=["image"], outputs=["a"])]
    kernel = "w1"
    if unpacked_weights:
        tensors["w1"] = _kernel((8, 3, 3, 3), "int8")
        tensors["w1_float"] = ((8, 3, 3, 3), "float32")
        operators.append(Operator(name="DEQUANTIZE", inputs=["w1"], outputs=["w1_float"]))
        kernel = "w1_float"
    operators.append(
        Operator(name="CONV_2D", inputs=[before, kernel, "b1"], outputs=[deep_in], options=convolution_options())
    )
    if float_depthwise:
        operators.append(Operator(name="DEQUANTIZE", inputs=[deep_in], outputs=["c"]))
        deep_in = "c"
    operators.append(
        Operator(name="DEPTHWISE_CONV_2D", inputs=[deep_in, "w2", "b2"], outputs=[deep_out], options=_depthwise())
    )
    if float_depthwise:
        operators.append(Operator(name="QUANTIZE", inputs=[deep_out], outputs=["d"]))
        deep_out = "d"
    last = "logits" if floating else "e"
    operators += [
        Operator(name="MEAN", inputs=[deep_out, "axes"], outputs=["mean"], options=_mean()),
        Operator(
            name="FULLY_CONNECTED", inputs=["mean", "w3", "b3"], outputs=[last], options=schema.FullyConnectedOptionsT()
        ),
    ]
    if not floating:
        operators.append(Operator(name="DEQUANTIZE", inputs=["e"], outputs=["logits"]))
    used = {name for operator in operators for name in (*operator.inputs, *operator.outputs)}
    kept = {name: content for name, content in tensors.items() if name in used}
    scaled = {
        name: (SCALE[0] ** 2 if name.startswith("b") else SCALE[0], 0)
        for name, content in kept.items()
        if (content.dtype.name if isinstance(content, np.ndarray) else content[1]) != "float32" and name != "axes"
    }
    return build_tflite(kept, operators, inputs=["image"], outputs=["logits"], scales=scaled)
