"""Images made larger or smaller: transposed convolution, nearest and bilinear resizing.

TFLite has fewer conventions than ONNX. What it cannot say is rewritten where that is exact (dilation and output padding
as zeros in the kernel, pads as a slice), found among its conventions by the positions that it reads, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_int, attribute_ints, attribute_string, constant, static_shape
from condmix.exporters.named.condconv import ConvSettings, conv_settings
from condmix.exporters.tflite.convolution import same_pads
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.lowering import Lowering, Unsupported, operand, result_shape
from condmix.exporters.tflite.model import Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, Padding

BIAS_VERSION = 3
"""TRANSPOSE_CONV of that version adds a bias."""
HALF_PIXEL_VERSION = 3
"""The resizing operators of that version read half_pixel_centers."""

HALF = Fraction(1, 2)
ROUNDING: dict[str, Callable[[Fraction], int]] = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda place: ceil(place - HALF),
    "round_prefer_ceil": lambda place: floor(place + HALF),
}
"""Of `nearest_mode` (ONNX operator specification, Resize)."""


def conv_transpose(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    weight = constant(node.inputs[1])
    given = node.inputs[2] if len(node.inputs) > 2 else None
    bias = None if given is None else constant(given)
    if weight is None or (given is not None and bias is None) or weight.ndim != 4:
        message = "its kernel or bias is computed, or it does not have two spatial axes"
        raise Unsupported(message)
    if "output_shape" in node.attributes:
        message = "it states output_shape: give pads and output_padding"
        raise Unsupported(message)
    settings = conv_settings(node, weight.shape[2:])
    x = operand(emitter, node, 0, 4)
    per_group = weight.shape[1]
    bias_o = np.zeros(per_group * settings.group) if bias is None else bias
    in_per_group = x.shape[3] // settings.group
    out_size = result_shape(node)[2:]
    kernel_ihwo = _spread(weight, settings, attribute_ints(node, "output_padding", (0, 0))).transpose(0, 2, 3, 1)
    parts: list[Tensor] = []
    for group in range(settings.group):
        own = slice(group * in_per_group, (group + 1) * in_per_group)
        begin, size = (0, 0, 0, own.start), (*x.shape[:3], in_per_group)
        filters = emitter.constant(kernel_ihwo[own].transpose(3, 1, 2, 0).astype(np.float32), "weight")
        own_bias = bias_o[group * per_group : (group + 1) * per_group].astype(np.float32)
        part = emitter.slice(x, begin, size, f"group_{group}")
        parts.append(_transpose_conv(emitter, part, filters, emitter.constant(own_bias, "bias"), settings, out_size))
    return emitter.concat(parts, 3, "groups")


def _spread(weight: np.ndarray, settings: ConvSettings, output_padding: Sequence[int]) -> np.ndarray:
    """The kernel with zeros between its taps (dilation) and behind them (output padding beyond the trailing pads)."""
    lengths = []
    for axis in (0, 1):
        extent = (settings.kernel[axis] - 1) * settings.dilations[axis] + 1
        lengths.append(extent + max(output_padding[axis] - settings.pads[axis + 2], 0))
    spread = np.zeros((*weight.shape[:2], *lengths), dtype=weight.dtype)
    height, width = settings.kernel
    rows = np.arange(height)[:, None] * settings.dilations[0]
    spread[:, :, rows, np.arange(width) * settings.dilations[1]] = weight
    return spread


def _transpose_conv(
    emitter: Emitter, x: Tensor, filters: Tensor, bias: Tensor, settings: ConvSettings, out_size: Sequence[int]
) -> Tensor:
    """One group: the whole result cut to size, unless TensorFlow's SAME cuts the same."""
    whole, matches = [], []
    for axis in (0, 1):
        length, stride, kernel = x.shape[1 + axis], settings.strides[axis], filters.shape[1 + axis]
        whole.append((length - 1) * stride + kernel)
        before = settings.pads[axis]
        cut = (before, whole[axis] - out_size[axis] - before)
        covered = -(-out_size[axis] // stride) == length
        matches.append(covered and cut == same_pads(out_size[axis], kernel, stride, 1))
    same = all(matches)
    written = out_size if same else whole
    shape = (x.shape[0], *written, filters.shape[0])
    result = emitter.emit(
        Operator.TRANSPOSE_CONV,
        [emitter.int32s(shape, "whole_shape"), filters, x, bias],
        shape,
        role="transpose_conv",
        options_type=OptionsUnion.TRANSPOSE_CONV,
        options={
            0: ("int8", int(Padding.SAME if same else Padding.VALID)),
            1: ("int32", settings.strides[1]),
            2: ("int32", settings.strides[0]),
        },
        version=BIAS_VERSION,
    )
    top, left = settings.pads[:2]
    return result if same else emitter.slice(result, (0, top, left, 0), (shape[0], *out_size, shape[3]), "cut")


def depth_to_space(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    """Blocks of channels side by side; TFLite's have the depth last (DCR), others are brought into that order."""
    x = operand(emitter, node, 0, 4)
    block = attribute_int(node, "blocksize", 1)
    images, height, width, channels = x.shape
    if attribute_string(node, "mode", "DCR") == "CRD" and channels > block**2:
        depth, phases = channels // block**2, block**2
        columns = emitter.reshape(x, (images * height * width, depth, phases), "phases_last")
        turned = emitter.transpose(columns, (0, 2, 1), "phases_first")
        x = emitter.reshape(turned, x.shape, "depth_last")
    return emitter.emit(
        Operator.DEPTH_TO_SPACE,
        [x],
        (images, height * block, width * block, channels // block**2),
        options_type=OptionsUnion.DEPTH_TO_SPACE,
        options={0: ("int32", block)},
        like=x.type,
    )


def resize(emitter: Emitter, node: ir.Node, _activation: Activation) -> Tensor:
    mode = attribute_string(node, "mode", "nearest")
    source = node.inputs[0]
    assert source is not None
    before, after = static_shape(source), result_shape(node)
    if mode not in ("nearest", "linear") or len(before) != 4 or before[:2] != after[:2]:
        message = f"mode {mode} from {before} to {after}: nearest and linear of height and width are supported"
        raise Unsupported(message)
    if attribute_int(node, "antialias", 0) and (after[2] < before[2] or after[3] < before[3]):
        message = "it is smoothed before it is made smaller (antialias)"
        raise Unsupported(message)
    convention = _convention(node, mode, before[2:], after[2:])
    if convention is None:
        asked = attribute_string(node, "coordinate_transformation_mode", "half_pixel")
        message = (
            f"mode {mode}, coordinates {asked}, from {before[2:]} to {after[2:]}: TFLite reads other positions; "
            "use align_corners, a whole factor, or a size instead of a factor"
        )
        raise Unsupported(message)
    align_corners, half_pixel = convention
    operator, union, slots = Operator.RESIZE_NEAREST_NEIGHBOR, OptionsUnion.RESIZE_NEAREST_NEIGHBOR, (0, 1)
    if mode == "linear":
        operator, union, slots = Operator.RESIZE_BILINEAR, OptionsUnion.RESIZE_BILINEAR, (2, 3)
    x = operand(emitter, node, 0, 4)
    return emitter.emit(
        operator,
        [x, emitter.int32s(after[2:], "size")],
        (x.shape[0], *after[2:], x.shape[3]),
        options_type=union,
        options={slots[0]: ("bool", align_corners), slots[1]: ("bool", half_pixel)},
        version=HALF_PIXEL_VERSION,
    )


def _convention(node: ir.Node, mode: str, before: Sequence[int], after: Sequence[int]) -> tuple[bool, bool] | None:
    """(align_corners, half_pixel_centers) with which TFLite reads what ONNX reads, on both axes."""
    asked = attribute_string(node, "coordinate_transformation_mode", "half_pixel")
    rounding = attribute_string(node, "nearest_mode", "round_prefer_floor")
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    listed = [axis % 4 for axis in attribute_ints(node, "axes", range(4))]
    for align_corners, half_pixel in ((False, True), (False, False), (True, False)):
        agree = True
        for axis, (length, wanted) in enumerate(zip(before, after, strict=True)):
            scale = Fraction(wanted, length)
            if scales is not None and scales.size and 2 + axis in listed:
                given = float(scales[listed.index(2 + axis)])
                # A factor that float32 rounds, and that means just this size, is this size.
                scale = scale if abs(given * length - wanted) < 1e-3 else Fraction(given)
            places = list(_onnx_places(asked, length, wanted, scale))
            if mode == "linear":
                theirs: Sequence[Fraction | int] = [
                    min(max(place, Fraction(0)), Fraction(length - 1)) for place in places
                ]
                ours: Sequence[Fraction | int] = _linear_places(length, wanted, align_corners, half_pixel)
            else:
                theirs = [min(max(ROUNDING[rounding](place), 0), length - 1) for place in places]
                ours = _nearest_places(length, wanted, align_corners, half_pixel)
            agree = agree and list(theirs) == list(ours)
        if agree:
            return align_corners, half_pixel
    return None


def _onnx_places(mode: str, length: int, wanted: int, scale: Fraction) -> Iterator[Fraction]:
    """Where ONNX reads each element of the result (operator specification, coordinate_transformation_mode)."""
    for index in range(wanted):
        centre = (index + HALF) / scale - HALF
        if mode == "half_pixel":
            yield centre
        elif mode == "half_pixel_symmetric":
            yield Fraction(length, 2) * (1 - wanted / (scale * length)) + centre
        elif mode == "pytorch_half_pixel":
            yield centre if wanted > 1 else Fraction(0)
        elif mode == "align_corners":
            yield Fraction(index * (length - 1), wanted - 1) if wanted > 1 else Fraction(0)
        elif mode == "asymmetric":
            yield index / scale
        else:
            message = f"coordinate_transformation_mode {mode} has no TFLite form"
            raise Unsupported(message)


def _linear_places(length: int, wanted: int, align_corners: bool, half_pixel: bool) -> list[Fraction]:
    """Where RESIZE_BILINEAR reads, kept within the image."""
    step = Fraction(length - 1, wanted - 1) if align_corners and wanted > 1 else Fraction(length, wanted)
    offset = HALF if half_pixel else Fraction(0)
    places = [(index + offset) * step - offset for index in range(wanted)]
    return [min(max(place, Fraction(0)), Fraction(length - 1)) for place in places]


def _nearest_places(length: int, wanted: int, align_corners: bool, half_pixel: bool) -> list[int]:
    """Where RESIZE_NEAREST_NEIGHBOR reads, in the float32 arithmetic of its kernel."""
    corners = align_corners and wanted > 1
    step = np.float32(length - 1) / np.float32(wanted - 1) if corners else np.float32(length) / np.float32(wanted)
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if half_pixel else 0.0)) * step
    rounded = np.floor(places + np.float32(0.5)) if align_corners else np.floor(places)
    return [int(place) for place in np.clip(rounded, 0, length - 1)]


RESAMPLINGS: Mapping[str, Lowering] = {
    "ConvTranspose": conv_transpose,
    "DepthToSpace": depth_to_space,
    "Resize": resize,
}
