"""Small TFLite files, right and wrong, written with the engine's own schema bindings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPERATORS = schema.BuiltinOperator
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
}


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator: its name in the schema, the tensors it reads and writes, and its options if it has any."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: object = None


def build_tflite(
    tensors: Mapping[str, tuple[Sequence[int], str] | np.ndarray],
    operators: Sequence[Operator],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    signatures: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] | None = None,
    tensor_names: Mapping[str, str] | None = None,
    scales: Mapping[str, tuple[float, int]] | None = None,
) -> bytes:
    """The file. tensors: name -> (shape, dtype), or the array of a constant. signatures: key -> names of inputs and of
    outputs, each name -> tensor. tensor_names: what to write in place of a tensor's name here.
    scales: tensor -> (scale, zero point)."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.buffers, graph.tensors = [schema.BufferT()], []
    numbers = {name: number for number, name in enumerate(tensors)}
    for name, content in tensors.items():
        tensor = schema.TensorT()
        tensor.name = (tensor_names or {}).get(name, name)
        if isinstance(content, np.ndarray):
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(content.tobytes(), np.uint8)
            tensor.buffer, tensor.shape, dtype = len(model.buffers), list(content.shape), content.dtype.name
            model.buffers.append(buffer)
        else:
            tensor.buffer, tensor.shape, dtype = 0, list(content[0]), content[1]
        tensor.type = _TYPES[dtype]
        if scales is not None and name in scales:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = ([number] for number in scales[name])
        graph.tensors.append(tensor)
    codes = list(dict.fromkeys(operator.name for operator in operators))
    model.operatorCodes, graph.operators = [_code(name) for name in codes], []
    for operator in operators:
        node = schema.OperatorT()
        node.opcodeIndex = codes.index(operator.name)
        node.inputs = [numbers[name] if name else -1 for name in operator.inputs]
        node.outputs = [numbers[name] for name in operator.outputs]
        if operator.options is not None:
            kind = type(operator.options).__name__.removesuffix("T")
            node.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            node.builtinOptions = operator.options
        graph.operators.append(node)
    graph.inputs = [numbers[name] for name in inputs]
    graph.outputs = [numbers[name] for name in outputs]
    model.version, model.subgraphs, model.signatureDefs = 3, [graph], []
    for key, (signature_inputs, signature_outputs) in (signatures or {}).items():
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key, 0
        signature.inputs = [_named(name, numbers[tensor]) for name, tensor in signature_inputs.items()]
        signature.outputs = [_named(name, numbers[tensor]) for name, tensor in signature_outputs.items()]
        model.signatureDefs.append(signature)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(name: str) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.version = 1
    known = getattr(OPERATORS, name, None)
    code.builtinCode = OPERATORS.CUSTOM if known is None else known
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    if known is None:
        code.customCode = name
    return code


def _named(name: str, number: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, number
    return entry


def depthwise_options() -> schema.DepthwiseConv2DOptionsT:
    """Stride 1, one output channel for each input channel, no padding."""
    options = schema.DepthwiseConv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.depthMultiplier = options.dilationHFactor = options.dilationWFactor = 1
    return options


class DenseNet:
    """images[2, 4] -> FULLY_CONNECTED -> TANH -> logits[2, 5], with an inner tensor `hidden`."""

    def __init__(self) -> None:
        generator = np.random.default_rng(5)
        self.weight_oi = generator.standard_normal((5, 4)).astype(np.float32)
        self.images = generator.standard_normal((2, 4)).astype(np.float32)

    def hidden(self, images: np.ndarray) -> np.ndarray:
        """The plain product in float64."""
        return images.astype(np.float64) @ self.weight_oi.astype(np.float64).T

    def to_tflite(self, **changes: object) -> bytes:
        """The file; changes are arguments of `build_tflite`."""
        arguments: dict[str, object] = {
            "inputs": ["x"],
            "outputs": ["y"],
            "signatures": {"serving_default": ({"images": "x"}, {"logits": "y"})},
        }
        return build_tflite(
            {"x": ((2, 4), "float32"), "w": self.weight_oi, "hidden": ((2, 5), "float32"), "y": ((2, 5), "float32")},
            [
                Operator(
                    name="FULLY_CONNECTED",
                    inputs=["x", "w", ""],
                    outputs=["hidden"],
                    options=schema.FullyConnectedOptionsT(),
                ),
                Operator(name="TANH", inputs=["hidden"], outputs=["y"]),
            ],
            **{**arguments, **changes},
        )


class DynamicDepthwise:
    """image[1, 6, 6, 3], kernel[1, 3, 3, 3] -> ABS -> DEPTHWISE_CONV_2D with that kernel -> ABS: the delegate refuses
    the convolution, whose kernel is no constant, and so takes the graph in two parts."""

    def __init__(self) -> None:
        generator = np.random.default_rng(6)
        self.image_nhwc = generator.standard_normal((1, 6, 6, 3)).astype(np.float32)
        self.kernels = generator.standard_normal((4, 1, 3, 3, 3)).astype(np.float32)

    def expected(self, image_nhwc: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """The plain loops in float64."""
        windows = np.lib.stride_tricks.sliding_window_view(np.abs(image_nhwc.astype(np.float64)), (3, 3), axis=(1, 2))
        return np.abs(np.einsum("nhwcij,ijc->nhwc", windows, kernel[0].astype(np.float64)))

    def to_tflite(self) -> bytes:
        """The file."""
        names = {"image": "image", "kernel": "kernel"}
        return build_tflite(
            {
                "image": ((1, 6, 6, 3), "float32"),
                "kernel": ((1, 3, 3, 3), "float32"),
                "bias": np.zeros(3, np.float32),
                "positive": ((1, 6, 6, 3), "float32"),
                "features": ((1, 4, 4, 3), "float32"),
                "result": ((1, 4, 4, 3), "float32"),
            },
            [
                Operator(name="ABS", inputs=["image"], outputs=["positive"]),
                Operator(
                    name="DEPTHWISE_CONV_2D",
                    inputs=["positive", "kernel", "bias"],
                    outputs=["features"],
                    options=depthwise_options(),
                ),
                Operator(name="ABS", inputs=["features"], outputs=["result"]),
            ],
            inputs=["image", "kernel"],
            outputs=["result"],
            signatures={"serving_default": (names, {"result": "result"})},
        )
