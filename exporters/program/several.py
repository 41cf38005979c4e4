"""A .pt2 program that takes more than one image tensor, such as an image and a context vector: captured as it stands.

Its batch has to be one or open: numbers beside the image have no groups from which a batch could be taken out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.export import ExportedProgram

from condmix.exporters.capture import captured_from
from condmix.exporters.captured import Captured, Tap
from condmix.exporters.errors import ProgramInputError
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.program.convert import input_shapes, to_onnx
from condmix.exporters.program.exported import ProgramModule
from condmix.exporters.verify.oracle import Oracle, Reference
from condmix.exporters.verify.torch_oracle import TorchOracle


@dataclass(frozen=True, kw_only=True)
class ProgramSource:
    """A network that came as a program."""

    captured: Captured
    oracle: Oracle
    input_size: tuple[int, int, int]
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SeveralInputsOracle(TorchOracle):
    """PyTorch as for any module, but for the modules inside, which a program no longer has."""

    @property
    def name(self) -> str:
        """As reports call it."""
        return "the original program"

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        """Nothing can be shown."""
        del taps, image_chw
        return Reference(float64={}, float32={})


def takes_several(program: ExportedProgram) -> bool:
    """Whether there is more than the image."""
    return len(program.graph_signature.user_inputs) > 1


def read_several(path: Path, program: ExportedProgram, module: ProgramModule) -> ProgramSource:
    """The network in the program, whose inputs keep their names. Raises ProgramInputError."""
    shapes = dict(zip(program.graph_signature.user_inputs, input_shapes(program), strict=True))
    problems = [
        f"its input '{name}' has shape {list(shape)}: expected a batch of one, or left open, and numbers behind it"
        for name, shape in shapes.items()
        if not shape or (isinstance(shape[0], int) and shape[0] != 1) or not _is_closed(shape[1:])
    ]
    first, image = next(iter(shapes.items()))
    if len(image) != 4:
        problems.insert(0, f"its first input '{first}' has {len(image)} axes: expected a batch of images")
    if problems:
        raise ProgramInputError(str(path), tuple(("PROGRAM_INPUTS", problem) for problem in problems))
    converted = to_onnx(path, program, module, None)
    captured = captured_from(converted.model, [output.name for output in converted.model.graph.outputs])
    channels, height, width = static_shape(captured.model.graph.inputs[0])[1:]
    others = ", ".join(f"'{name}'" for name in list(shapes)[1:])
    return ProgramSource(
        captured=captured,
        oracle=SeveralInputsOracle(module=module),
        input_size=(channels, height, width),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        notes=(f"the program takes {others} beside the image",),
    )


def _is_closed(shape: Sequence[object]) -> bool:
    return all(isinstance(length, int) for length in shape)
