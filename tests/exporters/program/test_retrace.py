"""A trace whose sizes are tensors becomes a graph with plain sizes; a size that depends on the image is no size."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from condmix.exporters.build import build_from
from condmix.exporters.options import ExportOptions
from condmix.exporters.program.read import read_program
from condmix.exporters.program.retrace import retraced
from condmix.exporters.program.scripted import ScriptedModule, load_scripted
from condmix.exporters.verify.verify import verify
from condmix.models.file_kind import FileKind
from condmix.runtime.tolerance import Tolerance
from tests.exporters.program.programs import SIZE, save_scripted


class SizesOfTheImage(nn.Module):
    """Every shape is computed from the image's: a trace does that with tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = nn.Parameter(torch.randn(3, 4 * 3 * 9))
        self.scores = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        kernels = torch.sigmoid(self.scores(x.mean((2, 3)))) @ self.bank
        kernels = kernels.view(batch * 4, channels, 3, 3)
        y = F.conv2d(x.reshape(1, batch * channels, height, width), kernels, padding=1, groups=batch)
        return y.view(batch, 4, height, width).mean((2, 3))


def traced(folder: Path) -> Path:
    torch.manual_seed(0)
    return save_scripted(SizesOfTheImage().eval(), folder / "sizes.pt", 3)


def test_sizes_are_numbers_and_the_function_is_the_same(tmp_path: Path) -> None:
    program = load_scripted(traced(tmp_path), allow_pickle=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = retraced(program, torch.zeros(3, *SIZE))
    named = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert "aten.convolution.default" in named
    assert not [name for name in named if "item" in name or "scalar" in name or "_convolution" in name]
    images = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(exported.module(check_guards=False)(images), program(images))


def test_such_a_trace_is_recognised_and_proven(tmp_path: Path) -> None:
    found = read_program(traced(tmp_path), FileKind.TORCHSCRIPT, SIZE, lambda _stage: None)
    built = build_from(found.captured, ExportOptions(), {}, lambda _stage: None)
    assert [layer.recognised for layer in built.layers] == [True]
    assert found.oracle.images == 3  # type: ignore[attr-defined]  # of a program
    proof = verify(
        built,
        found.oracle,
        SIZE,
        batch=1,
        tolerance=Tolerance.for_precision("float32"),
        images=None,
        report_progress=lambda _stage: None,
    )
    assert proof.passed, proof.final.sentence()


class Counts(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool((x > 0).sum() > 3):
            return x
        return -x


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_number_of_the_image_is_no_size() -> None:
    with pytest.raises(RuntimeError):
        retraced(ScriptedModule(torch.jit.script(Counts())), torch.zeros(1, *SIZE))
