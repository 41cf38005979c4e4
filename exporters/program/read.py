"""From a given program of torch to a captured network and its yardstick: the program becomes ONNX and goes that way."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

from torch import nn

from condmix.exporters.onnx_input.file import OnnxFile
from condmix.exporters.onnx_input.read import read_content
from condmix.exporters.program.convert import Size, convert_exported, convert_scripted, require_free_sides
from condmix.exporters.program.exported import as_module, load_exported
from condmix.exporters.program.oracle import ProgramOracle
from condmix.exporters.program.scripted import load_scripted
from condmix.exporters.program.several import ProgramSource, read_several, takes_several
from condmix.models.file_kind import FileKind


def read_program(
    path: Path,
    kind: FileKind,
    size: Size | None,
    report_progress: Callable[[str], None],
    *,
    allow_pickle: bool = False,
    any_size: bool = False,
) -> ProgramSource:
    """The network in a .pt2 or TorchScript file, as a graph for one image in float32.

    size: channels (None for the program's own), height and width; TorchScript does not say them itself.
    any_size: the program will be read at other heights and widths as well.
    Raises ProgramInputError, and OnnxInputError for what is no network of images.
    """
    report_progress("load")
    program: nn.Module
    if kind is FileKind.EXPORTED_PROGRAM:
        exported = load_exported(path, allow_pickle=allow_pickle)
        if any_size:
            require_free_sides(path, exported)
        program = as_module(path, exported)
        report_progress("convert")
        if takes_several(exported):
            return read_several(path, exported, program)
        proto = convert_exported(path, exported, program, size)
    else:
        program = load_scripted(path, allow_pickle=allow_pickle)
        report_progress("convert")
        proto = convert_scripted(path, program, size)
    content = path.read_bytes()
    file = OnnxFile(
        path=path, proto=proto, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), external=()
    )
    found = read_content(file, size, report_progress)
    oracle = ProgramOracle(
        program=program,
        graph=found.oracle,
        images=found.oracle.images,
        output_names=tuple(value.name for value in proto.graph.output),
    )
    if kind is FileKind.EXPORTED_PROGRAM and not program.is_float32:
        found_notes = (
            "the program holds other numbers than float32: it is computed, exported and compared in float32",
        )
        found = dataclasses.replace(found, notes=(*found_notes, *found.notes))
    notes = [note.replace("the file", "the program") for note in found.notes]
    if not oracle.computes_in_float64:
        notes.append(
            "the program holds its weights as float32 constants: float64, the yardstick, was computed from its graph, "
            "and the program itself run in float32 beside it"
        )
    return ProgramSource(
        captured=found.captured, oracle=oracle, input_size=found.input_size, sha256=found.sha256, notes=tuple(notes)
    )
