"""What a given file takes: one image tensor, how many images at a time, in which order of axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx
from onnx import TensorProto

from condmix.exporters.onnx_input.element_types import FLOATS

LIKELY_CHANNELS = (1, 3, 4)
IMAGE_AXES = 4
WITHOUT_IT = "export the network without what is in front of it"
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
    more: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of what the file takes beside the image, by name, without the axis of images."""

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
    """The image input of the graph, at the size `asked` for (channels may be None), with what is taken beside it.

    The first input of four axes is the image. Returns all that is wrong where it is no such network.
    """
    inputs = own_inputs(graph)
    if not inputs:
        return [("ONNX_INPUTS", "it has no inputs: expected a batch of images; export the network with its input")]
    image = next((value for value in inputs if len(dimensions_of(value) or ()) == IMAGE_AXES), inputs[0])
    found = _image(graph, image, asked)
    problems = found if isinstance(found, list) else []
    images = None if isinstance(found, list) else found.images
    more: dict[str, tuple[int, ...]] = {}
    for value in inputs:
        if value is image:
            continue
        shape = _further(value, images, known=not isinstance(found, list))
        if isinstance(shape, tuple):
            more[value.name] = shape
        else:
            problems = [*problems, *shape]
    if problems or isinstance(found, list):
        return problems
    return replace(found, more=more)


def _further(value: onnx.ValueInfoProto, images: int | None, *, known: bool) -> tuple[int, ...] | list[tuple[str, str]]:
    """The shape of one row of an input beside the image, or what is wrong with it."""
    dimensions = dimensions_of(value)
    kind = value.type.tensor_type.elem_type
    if kind not in FLOATS:
        return [("ONNX_INPUT_TYPE", f"its input '{value.name}' is {_type_name(kind)}: expected float32; {WITHOUT_IT}")]
    if dimensions is None or len(dimensions) < 2:
        shown = "no shape" if dimensions is None else f"shape [{', '.join(map(str, dimensions))}]"
        text = f"its input '{value.name}' has {shown}: expected an axis of images and one more; {WITHOUT_IT}"
        return [("ONNX_INPUTS", text)]
    problems = []
    if known and (dimensions[0] if isinstance(dimensions[0], int) else None) != images:
        wanted = "open, as the image's is" if images is None else f"{images}, as many as images"
        text = f"the first axis of its input '{value.name}' is '{dimensions[0]}': expected {wanted}; export it again"
        problems.append(("ONNX_INPUTS", text))
    row = tuple(length for length in dimensions[1:] if isinstance(length, int))
    if len(row) < len(dimensions) - 1:
        listed = ", ".join(str(length) for length in dimensions[1:])
        text = f"its input '{value.name}' leaves axes open ({listed}): export it with numbers behind the first axis"
        problems.append(("ONNX_INPUT_SIZE", text))
    elif math.prod(row) > LARGEST_INPUT:
        text = f"its input '{value.name}' of {'x'.join(map(str, row))} numbers is too large to be run here"
        problems.append(("ONNX_TOO_LARGE", text))
    return problems or row


def _type_name(kind: int) -> str:
    return TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else str(kind)


def _image(
    graph: onnx.GraphProto, value: onnx.ValueInfoProto, asked: tuple[int | None, int, int] | None
) -> ImageInput | list[tuple[str, str]]:
    kind = value.type.tensor_type.elem_type
    dimensions = dimensions_of(value)
    if kind not in FLOATS:
        name = _type_name(kind)
        advice = "export the network without the preprocessing in front of it"
        return [("ONNX_INPUT_TYPE", f"its input '{value.name}' is {name}: expected images in float32; {advice}")]
    if dimensions is None or len(dimensions) != IMAGE_AXES:
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
