"""What a given file takes: one image tensor, how many images at a time, in which order of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from condmix.exporters.onnx_input.element_types import FLOATS

LIKELY_CHANNELS = (1, 3, 4)
LARGEST_INPUT = 1 << 28
"""Elements of one input: more is a declared shape to fill the memory with."""
Dimension = int | str


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """The input: its name and dimensions as the file has them, and how the four are meant."""

    name: str
    dimensions: tuple[Dimension, ...]
    channels_last: bool
    size: tuple[int, int, int]
    """Channels, height, width."""

    @property
    def images(self) -> int | None:
        """How many at a time; None for any number."""
        return self.dimensions[0] if isinstance(self.dimensions[0], int) else None

    def with_images(self, images: int) -> tuple[int, ...]:
        """The dimensions for that many."""
        channels, height, width = self.size
        return (images, height, width, channels) if self.channels_last else (images, channels, height, width)


def own_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that a caller feeds: files of IR 3 list their weights among them."""
    stored = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in stored]


def dimensions_of(value: onnx.ValueInfoProto) -> tuple[Dimension, ...] | None:
    """The dimensions, free ones by a name; None without any shape."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param or f"axis{axis}"
        for axis, dim in enumerate(kind.shape.dim)
    )


def image_input(
    graph: onnx.GraphProto, asked: tuple[int | None, int, int] | None
) -> ImageInput | list[tuple[str, str]]:
    """The one image input of the graph, at the size `asked` for (channels may be None), or all that is wrong."""
    inputs = own_inputs(graph)
    if len(inputs) != 1:
        names = ", ".join(f"'{value.name}'" for value in inputs) or "none"
        advice = "export the part of the network that takes one image"
        return [("ONNX_INPUTS", f"it has {len(inputs)} inputs ({names}): expected one batch of images; {advice}")]
    value = inputs[0]
    kind = value.type.tensor_type.elem_type
    dimensions = dimensions_of(value)
    if kind not in FLOATS:
        name = TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else str(kind)
        advice = "export the network without the preprocessing in front of it"
        return [("ONNX_INPUT_TYPE", f"its input '{value.name}' is {name}: expected images in float32; {advice}")]
    if dimensions is None or len(dimensions) != 4:
        shown = "no shape" if dimensions is None else f"shape [{', '.join(map(str, dimensions))}]"
        return [
            (
                "ONNX_INPUT_RANK",
                f"its input '{value.name}' has {shown}: expected a batch of images of four axes; this project "
                "exports networks of images",
            )
        ]
    return _sized(graph, value.name, dimensions, asked)


def _sized(
    graph: onnx.GraphProto, name: str, dimensions: tuple[Dimension, ...], asked: tuple[int | None, int, int] | None
) -> ImageInput | list[tuple[str, str]]:
    last = _is_channels_last(graph, name, dimensions)
    order = (dimensions[3], dimensions[1], dimensions[2]) if last else dimensions[1:]
    wanted: Sequence[int | None] = (None, None, None) if asked is None else asked
    problems: list[tuple[str, str]] = []
    size: list[int] = []
    for axis, found, want in zip(("channels", "height", "width"), order, wanted, strict=True):
        if isinstance(found, int):
            if want is not None and want != found:
                text = f"its input '{name}' has {axis} {found}, --input-size says {want}: leave it out, or export again"
                problems.append(("ONNX_INPUT_SIZE", text))
            size.append(found)
        elif want is None:
            text = f"its input '{name}' leaves its {axis} open ('{found}'): give --input-size CxHxW"
            problems.append(("ONNX_INPUT_SIZE", text))
        else:
            size.append(want)
    if problems:
        return problems
    count = dimensions[0] if isinstance(dimensions[0], int) else 1
    if count * size[0] * size[1] * size[2] > LARGEST_INPUT:
        shape = "x".join(map(str, (count, *size)))
        return [("ONNX_TOO_LARGE", f"its input '{name}' of {shape} numbers is too large to be run here")]
    channels, height, width = size
    return ImageInput(name=name, dimensions=dimensions, channels_last=last, size=(channels, height, width))


def _is_channels_last(graph: onnx.GraphProto, name: str, dimensions: tuple[Dimension, ...]) -> bool:
    """Whether all readers first move the last axis to the front, or only the last axis looks like channels."""
    readers = [node for node in graph.node if name in node.input]
    turned = [
        node.op_type == "Transpose" and any(list(item.ints) == [0, 3, 1, 2] for item in node.attribute)
        for node in readers
    ]
    if turned and all(turned):
        return True
    return dimensions[3] in LIKELY_CHANNELS and dimensions[1] not in LIKELY_CHANNELS and isinstance(dimensions[1], int)
