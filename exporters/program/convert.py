"""From a program of torch to an ONNX model: torch's newer exporter takes .pt2, its older one TorchScript."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.export import ExportedProgram

from condmix.exporters.captured import CAPTURE_OPSET
from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.exported import ProgramModule
from condmix.exporters.program.refused import first_line, refused
from condmix.exporters.program.retrace import retraced
from condmix.exporters.program.scripted import ScriptedModule
from condmix.exporters.quiet_torch import quiet_torch
from condmix.exporters.structure import located_tensors, names_of

SCRIPT_OPSET = 17
"""The newest that torch's older exporter writes in full."""
LIKELY_BATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
IMAGE_AXES = 4
Size = tuple[int | None, int, int]


def convert_exported(path: Path, program: ExportedProgram, module: ProgramModule, size: Size | None) -> onnx.ModelProto:
    """The program as ONNX: at its own batch, or at one image where its sizes are open. Raises ProgramInputError."""
    return _named(to_onnx(path, program, module, size).model_proto)


def require_free_sides(path: Path, program: ExportedProgram) -> None:
    """Nothing happens for a program that leaves height and width of its image open. Raises ProgramInputError."""
    image = next((shape for shape in input_shapes(program) if len(shape) == IMAGE_AXES), ())
    if any(isinstance(length, int) for length in image[2:]):
        sides = "x".join(str(length) if isinstance(length, int) else "any" for length in image[2:])
        text = (
            f"it was exported for images of {sides} alone: for --dynamic-size export it again with dynamic_shapes for "
            "height and width, or give the weights; else leave --dynamic-size out"
        )
        raise refused(str(path), "PROGRAM_SIZE", text)


def to_onnx(path: Path, program: ExportedProgram, module: ProgramModule, size: Size | None) -> torch.onnx.ONNXProgram:
    """The same as torch's exporter returns it."""
    shapes = input_shapes(program)
    try:
        with quiet_torch(), torch.no_grad():
            is_open = any(not isinstance(length, int) for shape in shapes for length in shape)
            # The exporter folds norms into convolutions in the program's own precision: halves would be rounded twice.
            if is_open or not module.is_float32:
                sizes = [_at_one_image(str(path), shape, size) if is_open else shape for shape in shapes]
                examples = tuple(torch.zeros(shape) for shape in sizes)  # type: ignore[arg-type]  # numbers by now
                program = torch.export.export(module.in_float32(), examples)
            converted = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                opset_version=CAPTURE_OPSET,
                optimize=True,
                input_names=["input"] if len(shapes) == 1 else None,
                output_names=_own_names(program, module) or _output_names(len(program.graph_signature.user_outputs)),
            )
    except ProgramInputError:
        raise
    except Exception as error:
        raise _not_converted(path, error) from error
    assert converted is not None
    return converted


def convert_scripted(path: Path, module: ScriptedModule, size: Size | None) -> onnx.ModelProto:
    """The program as ONNX, at the smallest batch that it runs at. Raises ProgramInputError."""
    place = str(path)
    if size is None or size[0] is None:
        text = "TorchScript does not say the size of its input: give --input-size CxHxW"
        raise refused(place, "PROGRAM_INPUT_SIZE", text)
    example, result = _working(place, module, (size[0], size[1], size[2]))
    names = _output_names(len(result))
    try:
        return _named(_by_older_exporter(module, example, names))
    except Exception as error:  # noqa: BLE001 (a graph that it cannot convert is run once and taken to the newer one)
        first = error
    try:
        with quiet_torch(), _descriptors_closed():
            converted = torch.onnx.export(
                retraced(module, example),
                dynamo=True,
                verbose=False,
                opset_version=CAPTURE_OPSET,
                optimize=True,
                input_names=["input"],
                output_names=names,
            )
    except Exception as error:
        raise _not_converted(path, first) from error
    assert converted is not None
    return _named(converted.model_proto)


def _by_older_exporter(module: ScriptedModule, example: torch.Tensor, names: list[str]) -> onnx.ModelProto:
    """The graph that TorchScript itself is written as: modules keep their paths. Raises whatever torch raises."""
    content = io.BytesIO()
    with quiet_torch(), _descriptors_closed(), torch.no_grad():
        torch.onnx.export(
            module.script,
            (example,),
            content,  # type: ignore[arg-type]  # a stream is taken as well, its annotation forgets
            dynamo=False,
            opset_version=SCRIPT_OPSET,
            input_names=["input"],
            output_names=names,
        )
    return onnx.load_model_from_string(content.getvalue())


@contextlib.contextmanager
def _descriptors_closed() -> Iterator[None]:
    """Within the context nothing reaches the terminal: the older exporter prints its graph from C++ when it fails."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in saved:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def _working(place: str, module: nn.Module, size: tuple[int, int, int]) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """Images of zeros, as many as the program takes, and what it says of them."""
    from condmix.exporters.verify.reference import flatten_outputs

    first: Exception | None = None
    for images in LIKELY_BATCHES:
        example = torch.zeros((images, *size))
        try:
            with quiet_torch(), torch.no_grad():
                result = module(example)
        except Exception as error:  # noqa: BLE001 (a network on a wrong input raises anything; the next is tried)
            first = first or error
            continue
        return example, flatten_outputs(result)
    assert first is not None
    lines = [line.strip() for line in str(first).splitlines() if line.strip()]
    text = (
        f"it does not run on images of {size} (channels, height, width) at batch 1 to 64: {lines[-1][:200]}: give the "
        "--input-size that it was made for"
    )
    raise refused(place, "PROGRAM_INPUT_SIZE", text)


def input_shapes(program: ExportedProgram) -> list[tuple[object, ...]]:
    names = set(program.graph_signature.user_inputs)
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    return [tuple(node.meta["val"].shape) for node in nodes]


def _at_one_image(place: str, shape: tuple[object, ...], size: Size | None) -> tuple[int, ...]:
    """A shape with numbers for what is open: one image, the size that was given."""
    wanted: tuple[int | None, ...] = (1, *((None, None, None) if size is None else size))
    known = [length if isinstance(length, int) else None for length in shape]
    if len(known) == 4:
        known = [given if length is None else length for length, given in zip(known, wanted, strict=True)]
    if None in known[1:]:
        text = "it leaves channels, height or width open: give --input-size CxHxW"
        raise refused(place, "PROGRAM_INPUT_SIZE", text)
    return tuple(1 if length is None else length for length in known)


def _own_names(program: ExportedProgram, module: ProgramModule) -> list[str]:
    """The keys and fields under which the program returns its results; none unless all of them have one."""
    shapes = [[length for length in shape if isinstance(length, int)] for shape in input_shapes(program)]
    example = tuple(torch.zeros(shape) for shape in shapes)
    names = names_of([path for path, _ in located_tensors(module(*example))])
    return [name for name in names if name is not None] if all(names) else []


def _output_names(count: int) -> list[str]:
    return ["output"] if count == 1 else [f"output{index}" for index in range(count)]


def _named(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A single (images, classes) is called `logits`, as in a network that was captured."""
    if len(proto.graph.output) == 1 and len(proto.graph.output[0].type.tensor_type.shape.dim) in (1, 2):
        for node in proto.graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == proto.graph.output[0].name:
                        names[index] = "logits"
        proto.graph.output[0].name = "logits"
    return proto


def _not_converted(path: Path, error: Exception) -> ProgramInputError:
    cause: BaseException = error
    while isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    text = (
        f"torch's exporter to ONNX cannot convert it: {first_line(cause)}: change that place, or give the weights with "
        "--arch or --factory"
    )
    return refused(str(path), "PROGRAM_CONVERSION", text)
