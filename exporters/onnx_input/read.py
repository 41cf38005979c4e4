"""From a given ONNX file to a captured network and its yardstick. Read `read_onnx` top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
from onnx import TensorProto

from condmix.exporters.captured import Captured
from condmix.exporters.errors import GraphError, OnnxInputError
from condmix.exporters.onnx_input.canonical import CANONICAL_RULES, channels_first_input, resolve_auto_pad
from condmix.exporters.onnx_input.element_types import float_types, is_finite, with_floats
from condmix.exporters.onnx_input.file import OnnxFile, read_file, stored_tensors
from condmix.exporters.onnx_input.names import give_paths, paths_of, taps_of
from condmix.exporters.onnx_input.open_sides import with_open_sides
from condmix.exporters.onnx_input.oracle import OnnxOracle
from condmix.exporters.onnx_input.refuse import require_exportable
from condmix.exporters.onnx_input.shapes import ImageInput, image_input, own_inputs
from condmix.exporters.onnx_input.static import require_static, with_sizes
from condmix.exporters.onnx_input.unbake import unbake
from condmix.exporters.onnx_input.unroll import unroll
from condmix.exporters.onnx_input.upgrade import upgrade
from condmix.exporters.output_kinds import kinds_of
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.simplify import simplify
from condmix.runtime.errors import ModelUnreadableError, SessionFailedError
from condmix.runtime.onnx_session import OnnxRuntimeBackend

MOST_IMAGES = 64
"""Of a file whose batch was baked in and is not declared: more are not tried."""


@dataclass(frozen=True, kw_only=True)
class OnnxSource:
    """A network that came as an ONNX file."""

    captured: Captured
    oracle: OnnxOracle
    input_size: tuple[int, int, int]
    sha256: str
    metadata: Mapping[str, str]
    """What the file says of itself."""
    notes: tuple[str, ...]


def read_onnx(
    path: Path,
    size: tuple[int | None, int, int] | None,
    report_progress: Callable[[str], None],
    *,
    any_size: bool = False,
) -> OnnxSource:
    """The network in the file, as a graph for one image in float32, channels first, without batch constants.

    size: channels (None for the file's own), height and width, for a file that leaves them open.
    any_size: open the height and width of a file that has them as numbers; its own are then the default.
    Raises OnnxInputError with reason codes for what is no such network.
    """
    report_progress("read")
    return read_content(read_file(path), size, report_progress, any_size=any_size)


def read_content(
    file: OnnxFile,
    size: tuple[int | None, int, int] | None,
    report_progress: Callable[[str], None],
    *,
    any_size: bool = False,
) -> OnnxSource:
    """The same of a content that is read already; a program that was converted comes in here as well."""
    place = str(file.path)
    require_exportable(file)
    original, notes = _in_float32(file)
    if any_size:
        original, size, opened = with_open_sides(original, size)
        notes = (*notes, *opened)
    taken = image_input(original.graph, size)
    if isinstance(taken, list):
        raise OnnxInputError(place, tuple(taken))
    report_progress("upgrade")
    flat = unroll(place, original, taken, taken.images or 1)
    upgraded = upgrade(place, flat)
    require_static(place, upgraded, taken)
    images = _working_batch(place, original, upgraded, taken)

    report_progress("simplify")
    model = _simplified(place, with_sizes(upgraded, taken, images))
    paths = paths_of(flat)
    give_paths(model, paths)
    value = next(value for value in model.graph.inputs if value.name == taken.name)
    # The image comes first, whatever the file's own order is.
    others = [other for other in model.graph.inputs if other is not value]
    model.graph.inputs[:] = [value, *others]
    if taken.channels_last:
        channels_first_input(model, value)
    padded = resolve_auto_pad(model)
    run_rules(model, (*TIDY_RULES, *CANONICAL_RULES))
    if images > 1:
        report_progress("take the batch out")
        problems = unbake(model, images)
        if problems:
            raise OnnxInputError(place, tuple(("ONNX_BATCH", problem) for problem in problems))
        model = _simplified(place, ir.to_proto(model))
        give_paths(model, paths)
        run_rules(model, (*TIDY_RULES, *CANONICAL_RULES))
    oracle = OnnxOracle(
        original=original,
        upgraded=upgraded,
        input_names=(taken.name, *(str(other.name) for other in others)),
        images=images,
        channels_last=taken.channels_last,
    )
    return OnnxSource(
        captured=Captured(model=model, taps=taps_of(model), output_kinds=kinds_of(model.graph)),
        oracle=oracle,
        input_size=taken.size,
        sha256=file.sha256,
        metadata={entry.key: entry.value for entry in file.proto.metadata_props},
        notes=(*notes, *_what_was_done(file, taken, images, 0 if any_size else padded)),
    )


def _in_float32(file: OnnxFile) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model without functions of its own, its weights no inputs, its floats float32."""
    proto = file.proto
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto, convert_version=False)
    inputs = own_inputs(proto.graph)
    if len(inputs) != len(proto.graph.input):
        copy = onnx.ModelProto()
        copy.CopyFrom(proto)
        del copy.graph.input[:]
        copy.graph.input.extend(inputs)
        proto = copy
    unsound = is_finite(stored_tensors(proto.graph))
    if unsound and any(tensor.dims for tensor in proto.graph.initializer if tensor.name in unsound):
        listed = ", ".join(f"'{name}'" for name in unsound[:5])
        text = f"{len(unsound)} weights hold NaN or infinity ({listed}): export a network whose training converged"
        raise OnnxInputError(str(file.path), (("ONNX_NOT_FINITE", text),))
    others = sorted(float_types(proto) - {"float32"})
    if not others:
        return proto, ()
    note = f"the file holds {' and '.join(others)} numbers: it is computed, exported and compared in float32"
    return with_floats(proto, TensorProto.FLOAT), (note,)


def _working_batch(place: str, original: onnx.ModelProto, upgraded: onnx.ModelProto, taken: ImageInput) -> int:
    """How many images the file takes: what it declares, else one, else what its groups were made for."""
    tried = [taken.images] if taken.images is not None else [1, *_baked_batches(upgraded)]
    reason = ""
    session = None
    for images in tried:
        feeds = {taken.name: np.zeros(taken.with_images(images), dtype=np.float32)}
        feeds |= {name: np.zeros((images, *row), dtype=np.float32) for name, row in taken.more.items()}
        try:
            session = session or OnnxRuntimeBackend().open(original.SerializeToString(), threads=1)
            session.run(feeds)
        except (ModelUnreadableError, SessionFailedError) as error:
            reason = reason or str(error)
            continue
        return images
    text = f"ONNX Runtime does not run it on {taken.with_images(tried[0])}: {reason}"
    raise OnnxInputError(place, (("ONNX_ENGINE", text),))


def _baked_batches(proto: onnx.ModelProto) -> tuple[int, ...]:
    """What divides the groups of all convolutions whose weights are computed."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    stored |= {node.output[0] for node in proto.graph.node if node.op_type == "Constant"}
    groups = [
        next((item.i for item in node.attribute if item.name == "group"), 1)
        for node in proto.graph.node
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] not in stored
    ]
    common = int(np.gcd.reduce(groups)) if groups else 1
    return tuple(images for images in range(2, min(common, MOST_IMAGES) + 1) if common % images == 0)


def _simplified(place: str, proto: onnx.ModelProto) -> ir.Model:
    """The graph with constants folded and every shape a number. Raises OnnxInputError where one stays open."""
    try:
        model = simplify(ir.from_proto(proto))
    except (GraphError, onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise _inconsistent(place, error) from error
    except Exception as error:  # onnxsim raises what its C++ does
        raise _inconsistent(place, error) from error
    open_shapes = [
        f"{node.op_type} '{node.name}'"
        for node in model.graph
        for output in node.outputs
        if output.name and (output.shape is None or not all(isinstance(dimension, int) for dimension in output.shape))
    ]
    if open_shapes:
        shown = ", ".join(open_shapes[:5])
        text = f"the shape of {len(open_shapes)} values depends on the numbers in the image, first of {shown}"
        raise OnnxInputError(place, (("ONNX_DYNAMIC", f"{text}: export it with fixed shapes"),))
    return model


def _inconsistent(place: str, error: Exception) -> OnnxInputError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    text = f"its shapes do not fit together: {first[:300]}: export it again"
    return OnnxInputError(place, (("ONNX_SHAPES", text),))


def _what_was_done(file: OnnxFile, taken: ImageInput, images: int, padded: int) -> tuple[str, ...]:
    notes = []
    if taken.more:
        others = ", ".join(f"'{name}' ({'x'.join(map(str, row))})" for name, row in taken.more.items())
        notes.append(f"the image is '{taken.name}', which comes first in the exported files, before {others}")
    if file.external:
        notes.append(f"weights were read from {', '.join(file.external)} beside the file")
    if taken.channels_last:
        notes.append(
            f"the file takes images as (height, width, channels); the exported ONNX file's input '{taken.name}' is "
            "(channels, height, width)"
        )
    if images > 1:
        notes.append(
            f"the file is for {images} images at a time: the batch was taken out, and every comparison is with the "
            f"file on {images} different images at once"
        )
    if padded:
        notes.append(f"auto_pad of {padded} operators was written as numbers, which hold for this input size")
    return tuple(notes)
