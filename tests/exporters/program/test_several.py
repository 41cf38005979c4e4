"""A program with more inputs than the image keeps them, and its own names of results; a baked batch is refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from condmix.exporters.build import build_from
from condmix.exporters.errors import ProgramInputError
from condmix.exporters.options import ExportOptions
from condmix.exporters.program.read import read_program
from condmix.models.file_kind import FileKind
from tests.exporters.program.programs import SIZE
from tests.exporters.proven import onnx_proof


class FromContext(nn.Module):
    """The kernel is mixed by a vector that comes beside the image."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(3, 4 * 3 * 9))
        self.scores = nn.Linear(6, 3)

    def forward(self, image: Tensor, context: Tensor) -> dict[str, Tensor]:
        batch, channels, height, width = image.shape
        kernels = (torch.sigmoid(self.scores(context)) @ self.bank).reshape(batch * 4, channels, 3, 3)
        joined = image.reshape(1, batch * channels, height, width)
        y = F.conv2d(joined, kernels, padding=1, groups=batch).reshape(batch, 4, height, width)
        return {"scores": y.mean((2, 3)), "map": y}


def saved(path: Path, images: int) -> Path:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(images, *SIZE), torch.zeros(images, 6))
        torch.export.save(torch.export.export(FromContext().eval(), example), path)
    return path


def silent(_stage: str) -> None:
    """Nobody is watching."""


def test_inputs_and_results_keep_their_names_and_the_file_is_proven(tmp_path: Path) -> None:
    found = read_program(saved(tmp_path / "two.pt2", 1), FileKind.EXPORTED_PROGRAM, None, silent)
    graph = found.captured.model.graph
    assert [value.name for value in graph.inputs] == ["image", "context"]
    assert [value.name for value in graph.outputs] == ["scores", "map"]
    assert found.notes == ("the program takes 'context' beside the image",)
    assert found.input_size == SIZE
    built = build_from(found.captured, ExportOptions(batch=None), {}, silent)
    assert [layer.recognised for layer in built.layers] == [True]
    proof = onnx_proof(built, found, None)
    assert proof.passed, proof.final.sentence()
    assert found.oracle.inner(found.captured.taps, np.zeros(SIZE, dtype=np.float32)).float64 == {}


def test_a_baked_batch_is_refused_with_every_input(tmp_path: Path) -> None:
    with pytest.raises(ProgramInputError) as caught:
        read_program(saved(tmp_path / "two.pt2", 4), FileKind.EXPORTED_PROGRAM, None, silent)
    assert caught.value.codes == ("PROGRAM_INPUTS",)
    assert "its input 'image' has shape [4, 3, 12, 12]: expected a batch of one" in str(caught.value)
    assert "its input 'context' has shape [4, 6]" in str(caught.value)
