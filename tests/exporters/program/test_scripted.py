"""TorchScript runs without its classes; what was traced in training, or opens files, is refused."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.scripted import load_scripted
from tests.exporters.program.programs import SIZE, save_scripted


@pytest.mark.parametrize("way", ["trace", "script", "frozen"])
def test_the_program_computes_what_the_network_does(way: str, mixed: nn.Module, tmp_path: Path) -> None:
    program = load_scripted(save_scripted(mixed, tmp_path / "a.pt", way=way), allow_pickle=False)
    image = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(copy.deepcopy(program)(image), mixed(image), rtol=1e-5, atol=1e-6)


def test_one_scripted_in_training_is_taken_in_inference(mixed: nn.Module, tmp_path: Path) -> None:
    path = save_scripted(copy.deepcopy(mixed).train(), tmp_path / "a.pt", way="script")
    program = load_scripted(path, allow_pickle=False)
    images = torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(program(images), mixed(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.BatchNorm2d(3), "a batch norm measures its statistics from each batch"),
        (nn.BatchNorm2d(3, track_running_stats=False).eval(), "a batch norm measures its statistics"),
    ],
)
def test_one_traced_in_training_is_refused(module: nn.Module, said: str, tmp_path: Path) -> None:
    path = save_scripted(nn.Sequential(module), tmp_path / "a.pt", 2)
    with pytest.raises(ProgramInputError, match=rf"{said}.*\[PROGRAM_TRAINING\]"):
        load_scripted(path, allow_pickle=False)


class Saves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("somewhere", True, 1)


def test_one_that_opens_files_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Saves()), tmp_path / "a.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(ProgramInputError, match=r"calls torch.from_file, which opens files.*\[PROGRAM_PICKLE\]"):
        load_scripted(tmp_path / "a.pt", allow_pickle=False)
    assert load_scripted(tmp_path / "a.pt", allow_pickle=True) is not None


def test_a_damaged_one_is_named(mixed: nn.Module, tmp_path: Path) -> None:
    from tests.exporters.program.programs import with_entry

    path = save_scripted(mixed, tmp_path / "a.pt")
    bad = with_entry(path, "data.pkl", b"\x80\x02]q\x00.", tmp_path / "bad.pt")
    with pytest.raises(ProgramInputError, match=r"cannot load it.*\[PROGRAM_DAMAGED\]"):
        load_scripted(bad, allow_pickle=False)
