"""A given file's height and width left open: as the file would compute another size, if only it were let."""

from __future__ import annotations

import onnx

from condmix.exporters.onnx_input.shapes import ImageInput, image_input

AskedSize = tuple[int | None, int, int] | None
HEIGHT, WIDTH = "height", "width"


def with_open_sides(proto: onnx.ModelProto, asked: AskedSize) -> tuple[onnx.ModelProto, AskedSize, tuple[str, ...]]:
    """The content whose input has no numbers for height and width, the size to take, and a note if they were opened.

    A file that leaves them open, or takes no image, comes back as it was. Every other shape is found anew.
    """
    own = image_input(proto.graph, None)
    if not isinstance(own, ImageInput):
        return proto, asked, ()
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    value = next(value for value in copy.graph.input if value.name == own.name)
    places = (1, 2) if own.channels_last else (2, 3)
    for place, name in zip(places, (HEIGHT, WIDTH), strict=True):
        value.type.tensor_type.shape.dim[place].dim_param = name
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        # A shape has to be there: one of so many axes of any length.
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    height, width = own.size[1:]
    note = f"the file is for {height}x{width} alone: it was opened, and is the yardstick as it computes other sizes"
    return copy, asked or own.size, (note,)
