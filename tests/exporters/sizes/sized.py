"""Small graphs drawn at any size, and what is asked of them once they are freed of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from condmix.exporters.records import RewriteStep
from condmix.exporters.sizes.generalise import generalise_size
from condmix.runtime.onnx_session import OnnxRuntimeBackend

Sides = tuple[int, int]
Draw = Callable[[int, int], onnx.ModelProto]
SIZES: tuple[Sides, ...] = ((12, 12), (13, 31), (20, 26))
OTHERS: tuple[Sides, ...] = ((12, 12), (13, 31), (9, 14), (17, 11), (24, 33), (8, 8))
CHANNELS = 4


def graph(
    nodes: Sequence[onnx.NodeProto],
    height: int,
    width: int,
    *,
    outputs: Sequence[str] = ("y",),
    batch: int | str = 1,
    **constants: object,
) -> onnx.ModelProto:
    """A model of one image `x` with four channels; constants are lists of whole numbers, or arrays."""
    stored = [
        onnx.numpy_helper.from_array(
            value if isinstance(value, np.ndarray) else np.asarray(value, dtype=np.int64), name
        )
        for name, value in constants.items()
    ]
    made = helper.make_graph(
        list(nodes),
        "drawn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, CHANNELS, height, width])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        stored,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def node(op_type: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: object) -> onnx.NodeProto:
    """A node called by its first output."""
    return helper.make_node(op_type, list(inputs), list(outputs), name=outputs[0], **attributes)


def freed(draw: Draw, sizes: Sequence[Sides] = SIZES) -> tuple[onnx.ModelProto, tuple[RewriteStep, ...]]:
    """The graph for any size, checked, and what was done to it."""
    models = [ir.from_proto(draw(*sides)) for sides in sizes]
    steps = generalise_size(models, sizes)
    proto = ir.to_proto(models[0])
    onnx.checker.check_model(proto, full_check=True)
    return proto, steps


def assert_same_everywhere(draw: Draw, others: Sequence[Sides] = OTHERS) -> onnx.ModelProto:
    """One graph gives at every size what the one drawn for that size gives, number for number."""
    proto, _ = freed(draw)
    session = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1)
    generator = np.random.default_rng(0)
    for height, width in others:
        image = generator.standard_normal((1, CHANNELS, height, width)).astype(np.float32)
        own = OnnxRuntimeBackend().open(draw(height, width).SerializeToString(), threads=1).run({"x": image})
        for name, value in session.run({"x": image}).items():
            np.testing.assert_allclose(value, own[name], rtol=0, atol=1e-6, err_msg=f"{name} at {height}x{width}")
    return proto


def operators(proto: onnx.ModelProto) -> list[str]:
    """In order."""
    return [one.op_type for one in proto.graph.node]
