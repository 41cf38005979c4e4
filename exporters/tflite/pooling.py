"""Maximum and average pooling with a window.

Padding is TensorFlow's SAME where that says the same; else the border is written out, and what an average then counts
too much is scaled away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, attribute_ints, attribute_string, is_op
from condmix.exporters.tflite.arithmetic import clip_bounds
from condmix.exporters.tflite.convolution import same_pads
from condmix.exporters.tflite.emitter import Emitter, nhwc
from condmix.exporters.tflite.lowering import Lowering, Unsupported, operand, result_shape
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.movement import pad_with
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding

Pairs = list[tuple[int, int]]
"""Of height and of width: before and after."""


def pool(operator: Operator) -> Lowering:
    """MAX_POOL_2D or AVERAGE_POOL_2D, with any pads and with ceil_mode."""

    def build(emitter: Emitter, node: ir.Node, activation: Activation) -> Tensor:
        kernel = attribute_ints(node, "kernel_shape", ())
        plain = len(kernel) == 2 and attribute_ints(node, "dilations", (1, 1)) == (1, 1) and len(node.outputs) == 1
        if not plain or attribute_string(node, "auto_pad", "NOTSET") != "NOTSET":
            message = "it has dilations, auto_pad, indices or another number of axes"
            raise Unsupported(message)
        x = operand(emitter, node, 0, 4)
        given = attribute_ints(node, "pads", (0, 0, 0, 0))
        strides = attribute_ints(node, "strides", (1, 1))
        out = nhwc(result_shape(node))
        sizes = x.shape[1:3]
        if any((out[1 + axis] - 1) * strides[axis] >= sizes[axis] + given[axis] for axis in (0, 1)):
            message = "its last window begins behind the image"
            raise Unsupported(message)
        # What the windows see, which ceil_mode may push beyond the given pads.
        pads: Pairs = [
            (given[axis], max((out[1 + axis] - 1) * strides[axis] + kernel[axis] - sizes[axis] - given[axis], 0))
            for axis in (0, 1)
        ]
        counted: Pairs = [(0, 0), (0, 0)]
        if operator is Operator.AVERAGE_POOL_2D and attribute_int(node, "count_include_pad", 0):
            counted = [(given[axis], given[axis + 2]) for axis in (0, 1)]
        same = [same_pads(sizes[axis], kernel[axis], strides[axis], 1) for axis in (0, 1)]
        is_same = pads == same and not any(before or after for before, after in counted)
        source = x if is_same else _bordered(emitter, node, x, pads, operator)
        scale = None if is_same or operator is Operator.MAX_POOL_2D else _scale(sizes, pads, counted, kernel, strides)
        result = emitter.emit(
            operator,
            [source],
            out,
            options_type=OptionsUnion.POOL_2D,
            options={
                0: ("int8", int(Padding.SAME if is_same and pads != [(0, 0), (0, 0)] else Padding.VALID)),
                1: ("int32", strides[1]),
                2: ("int32", strides[0]),
                3: ("int32", kernel[1]),
                4: ("int32", kernel[0]),
            },
            activation=activation if scale is None else Activation.NONE,
        )
        if scale is None:
            return result
        stored = emitter.constant(scale[None, :, :, None].astype(np.float32), "window_scale")
        return emitter.binary(Operator.MUL, result, stored, "scale_windows", activation)

    return build


def _bordered(emitter: Emitter, node: ir.Node, x: Tensor, pads: Pairs, operator: Operator) -> Tensor:
    amounts = [(0, 0), *pads, (0, 0)]
    if operator is Operator.AVERAGE_POOL_2D or _never_negative(node.inputs[0]):
        return emitter.pad(x, amounts)
    return pad_with(emitter, x, amounts, float(np.finfo(np.float32).min))


def _never_negative(value: ir.Value | None) -> bool:
    """Whether zeros around an image leave its maxima as they are."""
    producer = None if value is None else value.producer()
    if producer is None:
        return False
    return is_op(producer, "Relu", "Sigmoid") or (is_op(producer, "Clip") and clip_bounds(producer)[0] >= 0.0)


def _scale(
    sizes: Sequence[int], pads: Pairs, counted: Pairs, kernel: Sequence[int], strides: Sequence[int]
) -> np.ndarray | None:
    """Per window (height, width), its elements over those that count; None where all of them do."""
    rows = []
    for axis in (0, 1):
        before, after = pads[axis]
        position = np.arange(-before, sizes[axis] + after)
        counts = (position >= -counted[axis][0]) & (position < sizes[axis] + counted[axis][1])
        windows = np.lib.stride_tricks.sliding_window_view(counts, kernel[axis])[:: strides[axis]]
        rows.append(kernel[axis] / windows.sum(axis=1))
    scale: np.ndarray = np.outer(rows[0], rows[1])
    return None if (scale == 1.0).all() else scale
