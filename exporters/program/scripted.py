"""A TorchScript archive as a program that runs, without the classes it was made from.

TorchScript is a language of its own: loading and running it runs no Python. Its operators can read and write files,
though, and those of other packages can do anything: archives that call such ones are refused before they are loaded.
"""

from __future__ import annotations

import copy
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.archive import require_one_folder
from condmix.exporters.program.refused import first_line, refused
from condmix.exporters.quiet_torch import quiet_torch

_FILES = re.compile(r"\btorch\.(from_file|save|load)\(")
_PACKAGES = re.compile(r"\bops\.(\w+)\.")
_CLASSES = re.compile(r"\b__torch__\.torch\.classes\.([\w.]+)")
_LARGEST_CODE = 100_000_000


def load_scripted(path: Path, *, allow_pickle: bool) -> ScriptedModule:
    """The program in the file, in inference. Raises ProgramInputError."""
    place = str(path)
    if not allow_pickle:
        problems = tuple(("PROGRAM_PICKLE", text) for text in dict.fromkeys(_outside_calls(path)))
        if problems:
            raise ProgramInputError(place, problems)
    try:
        with quiet_torch():
            module = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
            for parameter in module.parameters():
                parameter.requires_grad_(requires_grad=False)
    except Exception as error:  # whatever torch meets in a file that is not as it wrote it
        text = f"torch {torch.__version__} cannot load it: {first_line(error)}: save it again with this torch"
        raise refused(place, "PROGRAM_DAMAGED", text) from error
    training = tuple(("PROGRAM_TRAINING", text) for text in dict.fromkeys(_training(module)))
    if training:
        raise ProgramInputError(place, training)
    return ScriptedModule(module)


def _outside_calls(path: Path) -> Iterator[str]:
    """What the code in the archive calls beyond torch's operators on tensors."""
    advice = "save it without, or, if you trust where it comes from, give --allow-pickle"
    with zipfile.ZipFile(path) as archive:
        require_one_folder(str(path), archive)
        for entry in archive.infolist():
            if "/code/" not in entry.filename or entry.filename.endswith(".debug_pkl"):
                continue
            if entry.file_size > _LARGEST_CODE:
                yield f"its code takes {entry.file_size} bytes ({entry.filename}): {advice}"
                continue
            code = archive.read(entry).decode("utf-8", errors="replace")
            yield from (f"its code calls torch.{name}, which opens files: {advice}" for name in _FILES.findall(code))
            packages = sorted(set(_PACKAGES.findall(code)) - {"prim", "aten"})
            yield from (f"its code calls operators of another package, {name}: {advice}" for name in packages)
            yield from (f"its code holds an object of class {name}: {advice}" for name in _CLASSES.findall(code))


def _training(module: torch.jit.ScriptModule) -> Iterator[str]:
    """BatchNorm and Dropout that were traced as they are in training, so that eval() does not reach them."""
    advice = "call network.eval() before torch.jit.trace or torch.jit.script"
    graph: Any = module.inlined_graph  # kept while its nodes are read; its methods have no types
    for kind, place, what in (
        ("aten::batch_norm", 5, "a batch norm measures its statistics from each batch"),
        ("aten::dropout", 2, "a dropout drops numbers at random"),
        ("aten::feature_dropout", 2, "a dropout drops numbers at random"),
    ):
        for node in graph.findAllNodes(kind, recurse=True):
            if node.inputsAt(place).toIValue() is True:
                yield f"{what}: {advice}"


class ScriptedModule(nn.Module):
    """A TorchScript program as an ordinary module, to be copied and cast; precisions named inside stay as they are."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.script = script
        self.eval()

    def __deepcopy__(self, memo: dict[int, Any]) -> ScriptedModule:
        with quiet_torch():
            return ScriptedModule(copy.deepcopy(self.script, memo)).train(self.training)

    def forward(self, *inputs: torch.Tensor) -> Any:  # the structure of the program's results
        """The program's results."""
        with quiet_torch():
            return self.script(*inputs)
