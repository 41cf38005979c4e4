"""Small graphs with a Loop, drawn for tests: the images one by one, and loops that cannot be counted."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, SIDE = 3, 6
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def _value(name: str, kind: int, shape: list[int | str] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _stored(**arrays: np.ndarray) -> list[TensorProto]:
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def image_loop(
    images: int | str = "n",
    *,
    opset: int = 15,
    turns: int | None = None,
    stop: int | None = None,
    by_image: str = "",
    grows: bool = False,
) -> onnx.ModelProto:
    """Every image through a convolution with the kernel of its own row, one after the other.

    turns: how often, instead of once for every image. stop: the condition becomes false before that turn.
    by_image: "count" or "condition", what depends on the numbers in the image. grows: a vector that is carried doubles.
    """
    generator = np.random.default_rng(0)
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["count"], axis=0),
    ]
    if turns is not None:
        nodes[1] = helper.make_node("Identity", ["stored_turns"], ["count"])
    if by_image == "count":
        nodes += [helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0)]
        nodes[1] = helper.make_node("Cast", ["sum"], ["count"], to=INT64)
        nodes = [nodes[2], nodes[1]]
    going_on = {
        "condition": [
            helper.make_node("ReduceMax", ["row"], ["largest"], keepdims=0),
            helper.make_node("Less", ["largest", "bound"], ["on"]),
        ]
    }.get(by_image, [helper.make_node("Less", ["next", "last"], ["on"])])
    body = helper.make_graph(
        [
            helper.make_node("Add", ["at", "one"], ["next"]),
            helper.make_node("Gather", ["x", "at"], ["row"], name="layer/pick", axis=0),
            helper.make_node("Unsqueeze", ["row", "axis"], ["single"])
            if opset >= 13
            else helper.make_node("Unsqueeze", ["row"], ["single"], axes=[0]),
            helper.make_node("Conv", ["single", "kernel"], ["convolved"], name="layer/conv", pads=[1, 1, 1, 1]),
            helper.make_node("Squeeze", ["convolved", "axis"], ["result"])
            if opset >= 13
            else helper.make_node("Squeeze", ["convolved"], ["result"], axes=[0]),
            helper.make_node("Concat", ["list", "list"] if grows else ["list"], ["longer"], axis=0),
            *going_on,
        ],
        "body",
        [_value("turn", INT64, []), _value("go", BOOL, []), _value("at", INT64, []), _value("list", INT64, ["k"])],
        [
            _value("on", BOOL, []),
            _value("next", INT64, []),
            _value("longer", INT64, ["m"]),
            _value("result", FLOAT, None),
        ],
        _stored(one=np.int64(1), axis=np.zeros(1, np.int64), bound=np.float32(1e6), last=np.int64(stop or 10**6)),
    )
    nodes.append(
        helper.make_node(
            "Loop", ["count", "yes", "start", "empty"], ["ended", "listed", "y"], name="layer/while_loop", body=body
        )
    )
    graph = helper.make_graph(
        nodes,
        "loop",
        [_value("x", FLOAT, [images, CHANNELS, SIDE, SIDE])],
        [_value("y", FLOAT, ["rows", CHANNELS, SIDE, SIDE])],
        _stored(
            zero=np.int64(0),
            yes=np.asarray(True),
            start=np.int64(0),
            empty=np.ones(1, np.int64),
            stored_turns=np.int64(turns or 0),
            kernel=generator.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32),
        ),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def nested_loop() -> onnx.ModelProto:
    """The image plus one, three times two times."""
    inner = helper.make_graph(
        [helper.make_node("Add", ["inner_x", "unit"], ["inner_y"]), helper.make_node("Identity", ["c"], ["d"])],
        "inner",
        [_value("i", INT64, []), _value("c", BOOL, []), _value("inner_x", FLOAT, None)],
        [_value("d", BOOL, []), _value("inner_y", FLOAT, None)],
    )
    outer = helper.make_graph(
        [
            helper.make_node("Loop", ["two", "", "outer_x"], ["outer_y"], body=inner),
            helper.make_node("Identity", ["e"], ["f"]),
        ],
        "outer",
        [_value("j", INT64, []), _value("e", BOOL, []), _value("outer_x", FLOAT, None)],
        [_value("f", BOOL, []), _value("outer_y", FLOAT, None)],
    )
    shape: list[int | str] = [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        [helper.make_node("Loop", ["three", "", "x"], ["y"], body=outer)],
        "nested",
        [_value("x", FLOAT, shape)],
        [_value("y", FLOAT, shape)],
        _stored(two=np.int64(2), three=np.int64(3), unit=np.ones(1, np.float32)),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
