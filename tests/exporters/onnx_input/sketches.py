"""Graphs as other tools write them, drawn here node by node: those tools are not installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPERTS, CHANNELS = 3, 6


class Sketch:
    """Nodes and stored numbers of one file, in the order in which they are drawn."""

    def __init__(self, seed: int = 0, *, constants_as_nodes: bool = False) -> None:
        self.generator = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.constants_as_nodes = constants_as_nodes

    def store(self, name: str, array: np.ndarray) -> str:
        tensor = numpy_helper.from_array(array, name)
        if self.constants_as_nodes:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.initializers.append(tensor)
        return name

    def weights(self, name: str, *shape: int, scale: float | None = None) -> str:
        fan = int(np.prod(shape[1:])) or 1
        size = scale if scale is not None else 1.5 / np.sqrt(fan)
        return self.store(name, (size * self.generator.standard_normal(shape)).astype(np.float32))

    def ints(self, name: str, *numbers: int) -> str:
        return self.store(name, np.asarray(numbers, dtype=np.int64))

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output.split(":")[0], **attributes))
        return output

    def batch_norm(self, x: str, output: str, channels: int = CHANNELS, **attributes: object) -> str:
        stored = [
            self.store(f"{output}_w", self.generator.uniform(0.5, 1.5, channels).astype(np.float32)),
            self.weights(f"{output}_b", channels, scale=0.3),
            self.weights(f"{output}_mean", channels, scale=0.3),
            self.store(f"{output}_var", self.generator.uniform(0.5, 1.5, channels).astype(np.float32)),
        ]
        return self.node("BatchNormalization", [x, *stored], output, **attributes)

    def model(
        self,
        inputs: dict[str, list[int | str]],
        outputs: dict[str, list[int | str]],
        *,
        opset: int = 13,
        ir_version: int = 8,
        element: int = TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "sketch",
            [helper.make_tensor_value_info(name, element, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def saved(model: onnx.ModelProto, folder: Path, name: str = "net.onnx") -> Path:
    """The model as a file."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def tensorflow_style(*, routing: str = "Sigmoid") -> onnx.ModelProto:
    """NHWC input, SAME as auto_pad, kernels mixed as [kh, kw, in, out], BatchNorm as Mul and Add, folders in names."""
    s = Sketch(1)
    s.node("Transpose", ["image:0"], "net/stem/Conv2D__7:0", perm=[0, 3, 1, 2])
    s.weights("net/stem/Conv2D/ReadVariableOp:0", CHANNELS, 3, 3, 3)
    s.node(
        "Conv",
        ["net/stem/Conv2D__7:0", "net/stem/Conv2D/ReadVariableOp:0"],
        "net/stem/Conv2D:0",
        strides=[2, 2],
        kernel_shape=[3, 3],
        auto_pad="SAME_UPPER",
    )
    s.store("scale", s.generator.uniform(0.5, 1.5, (1, CHANNELS, 1, 1)).astype(np.float32))
    s.weights("shift", 1, CHANNELS, 1, 1, scale=0.2)
    s.node("Mul", ["net/stem/Conv2D:0", "scale"], "net/stem/bn/mul:0")
    s.node("Add", ["net/stem/bn/mul:0", "shift"], "net/stem/bn/add:0")
    s.node("Relu", ["net/stem/bn/add:0"], "net/stem/Relu:0")
    s.node("GlobalAveragePool", ["net/stem/Relu:0"], "net/block/Mean:0")
    s.ints("squeeze_axes", 2, 3)
    s.node("Squeeze", ["net/block/Mean:0", "squeeze_axes"], "net/block/Mean_Squeeze:0")
    s.weights("net/block/routing/kernel", CHANNELS, EXPERTS, scale=2.0)
    s.weights("net/block/routing/bias", EXPERTS, scale=0.5)
    s.node("MatMul", ["net/block/Mean_Squeeze:0", "net/block/routing/kernel"], "net/block/routing/MatMul:0")
    s.node("Add", ["net/block/routing/MatMul:0", "net/block/routing/bias"], "net/block/routing/BiasAdd:0")
    s.node(routing, ["net/block/routing/BiasAdd:0"], f"net/block/routing/{routing}:0")
    s.weights("net/block/cond/kernel", EXPERTS, 3 * 3 * CHANNELS * CHANNELS, scale=0.2)
    s.node("MatMul", [f"net/block/routing/{routing}:0", "net/block/cond/kernel"], "net/block/cond/MatMul:0")
    s.ints("kernel_shape", 3, 3, CHANNELS, CHANNELS)
    s.node("Reshape", ["net/block/cond/MatMul:0", "kernel_shape"], "net/block/cond/Reshape:0")
    s.node("Transpose", ["net/block/cond/Reshape:0"], "net/block/cond/kernel__9:0", perm=[3, 2, 0, 1])
    s.node(
        "Conv",
        ["net/stem/Relu:0", "net/block/cond/kernel__9:0"],
        "net/block/cond/Conv2D:0",
        strides=[2, 2],
        kernel_shape=[3, 3],
        auto_pad="SAME_UPPER",
    )
    s.store("scale_2", s.generator.uniform(0.5, 1.5, (1, CHANNELS, 1, 1)).astype(np.float32))
    s.weights("shift_2", 1, CHANNELS, 1, 1, scale=0.2)
    s.node("Mul", ["net/block/cond/Conv2D:0", "scale_2"], "net/block/bn/mul:0")
    s.node("Add", ["net/block/bn/mul:0", "shift_2"], "net/block/bn/add:0")
    s.node("Relu", ["net/block/bn/add:0"], "net/block/Relu:0")
    s.node("GlobalAveragePool", ["net/block/Relu:0"], "net/head/Mean:0")
    s.node("Squeeze", ["net/head/Mean:0", "squeeze_axes"], "net/head/Squeeze:0")
    s.weights("net/head/kernel", CHANNELS, 5, scale=1.0)
    s.node("MatMul", ["net/head/Squeeze:0", "net/head/kernel"], "net/head/MatMul:0")
    s.node("Softmax", ["net/head/MatMul:0"], "Identity:0", axis=-1)
    return s.model({"image:0": ["unk__1", 17, 15, 3]}, {"Identity:0": ["unk__2", 5]})


def paddle_style() -> onnx.ModelProto:
    """Weights as Constant nodes, BatchNorm of its own, MixConv by Slice and Concat, Dropout and Identity left in."""
    s = Sketch(2, constants_as_nodes=True)
    s.weights("conv2d_0.w_0", 2 * CHANNELS, 3, 3, 3)
    s.node("Conv", ["x", "conv2d_0.w_0"], "conv2d_0.tmp_0", strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    s.batch_norm("conv2d_0.tmp_0", "batch_norm_0.tmp_2", 2 * CHANNELS, epsilon=1e-5, momentum=0.9)
    s.node("HardSwish", ["batch_norm_0.tmp_2"], "hardswish_0.tmp_0")
    branches = []
    for index, kernel in enumerate((3, 5)):
        s.ints(f"starts_{index}", CHANNELS * index)
        s.ints(f"ends_{index}", CHANNELS * (index + 1))
        s.ints(f"axes_{index}", 1)
        s.node("Slice", ["hardswish_0.tmp_0", *(f"{n}_{index}" for n in ("starts", "ends", "axes"))], f"split_{index}")
        s.weights(f"conv2d_{index + 1}.w_0", CHANNELS, 1, kernel, kernel)
        edge = kernel // 2
        branches.append(
            s.node(
                "Conv",
                [f"split_{index}", f"conv2d_{index + 1}.w_0"],
                f"conv2d_{index + 1}.tmp_0",
                group=CHANNELS,
                pads=[edge] * 4,
                kernel_shape=[kernel, kernel],
            )
        )
    s.node("Concat", branches, "concat_0.tmp_0", axis=1)
    s.batch_norm("concat_0.tmp_0", "batch_norm_1.tmp_2", 2 * CHANNELS)
    s.node("Identity", ["batch_norm_1.tmp_2"], "assign_0.tmp_0")
    s.node("GlobalAveragePool", ["assign_0.tmp_0"], "pool2d_0.tmp_0")
    s.ints("flat", -1, 2 * CHANNELS)
    s.node("Reshape", ["pool2d_0.tmp_0", "flat"], "flatten_0.tmp_0")
    s.node("Dropout", ["flatten_0.tmp_0"], "dropout_0.tmp_0")
    s.weights("linear_0.w_0", 2 * CHANNELS, 5, scale=1.0)
    s.weights("linear_0.b_0", 5)
    s.node("MatMul", ["dropout_0.tmp_0", "linear_0.w_0"], "linear_0.tmp_0")
    s.node("Add", ["linear_0.tmp_0", "linear_0.b_0"], "save_infer_model/scale_0.tmp_0")
    return s.model({"x": ["batch", 3, 16, 16]}, {"save_infer_model/scale_0.tmp_0": ["batch", 5]}, opset=14)


def batched_groups(images: int, *, seed: int = 3, opset: int = 17) -> onnx.ModelProto:
    """One CondConv layer as N * C groups of one convolution, with a bias mixed alike."""
    s = Sketch(seed)
    _routing(s, "x", 3)
    s.weights("bank", EXPERTS, CHANNELS * 3 * 3 * 3, scale=0.3)
    s.weights("bias_bank", EXPERTS, CHANNELS, scale=0.5)
    s.node("MatMul", ["routing", "bank"], "mixed")
    s.node("MatMul", ["routing", "bias_bank"], "mixed_bias")
    s.ints("kernels_shape", images * CHANNELS, 3, 3, 3)
    s.ints("bias_shape", images * CHANNELS)
    s.node("Reshape", ["mixed", "kernels_shape"], "kernels")
    s.node("Reshape", ["mixed_bias", "bias_shape"], "biases")
    s.ints("merged_shape", 1, images * 3, 12, 10)
    s.node("Reshape", ["x", "merged_shape"], "merged")
    s.node("Conv", ["merged", "kernels", "biases"], "many", group=images, pads=[1, 1, 1, 1])
    s.node("Transpose", ["many"], "moved", perm=[1, 0, 2, 3])
    s.ints("apart_shape", images, CHANNELS, 12, 10)
    s.node("Reshape", ["moved", "apart_shape"], "features")
    return _headed(s, images, opset)


def sample_loop(images: int) -> onnx.ModelProto:
    """A convolution for every image by itself, as TensorFlow's CondConv is written; then joined again."""
    s = Sketch(4)
    _routing(s, "x", 3)
    s.weights("bank", EXPERTS, 3 * 3 * 3 * CHANNELS, scale=0.3)
    s.node("MatMul", ["routing", "bank"], "mixed")
    pieces = [f"image_{index}" for index in range(images)]
    s.ints("ones", *(1,) * images)
    s.nodes.append(helper.make_node("Split", ["x", "ones"], pieces, name="split", axis=0))
    s.ints("kernel_shape", 3, 3, 3, CHANNELS)
    results = []
    for index, piece in enumerate(pieces):
        s.ints(f"at_{index}", index)
        s.node("Gather", ["mixed", f"at_{index}"], f"row_{index}", axis=0)
        s.node("Reshape", [f"row_{index}", "kernel_shape"], f"kernel_{index}")
        s.node("Transpose", [f"kernel_{index}"], f"turned_{index}", perm=[3, 2, 0, 1])
        results.append(s.node("Conv", [piece, f"turned_{index}"], f"result_{index}", pads=[1, 1, 1, 1]))
    s.node("Concat", results, "features", axis=0)
    return _headed(s, images, 13)


def _routing(s: Sketch, x: str, channels: int) -> None:
    s.node("GlobalAveragePool", [x], "pooled")
    s.node("Flatten", ["pooled"], "flat")
    s.weights("router", channels, EXPERTS, scale=2.0)
    s.node("MatMul", ["flat", "router"], "routed")
    s.node("Sigmoid", ["routed"], "routing")


def _headed(s: Sketch, images: int, opset: int) -> onnx.ModelProto:
    s.batch_norm("features", "normed")
    s.node("Relu", ["normed"], "active")
    s.node("GlobalAveragePool", ["active"], "head_pool")
    s.node("Flatten", ["head_pool"], "head_flat")
    s.weights("head", 5, CHANNELS, scale=1.0)
    s.weights("head_bias", 5)
    s.node("Gemm", ["head_flat", "head", "head_bias"], "scores", transB=1)
    return s.model({"x": [images, 3, 12, 10]}, {"scores": [images, 5]}, opset=opset)
