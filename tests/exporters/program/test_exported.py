"""A .pt2 program runs as the network did, in float32 and float64; what was exported in training is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from condmix.exporters.errors import ProgramInputError
from condmix.exporters.program.exported import ProgramModule, as_module, load_exported, training_operators
from tests.exporters.program.programs import SIZE, Mixed, changed


def test_the_program_computes_what_the_network_does_in_both_precisions(mixed: nn.Module, exported: Path) -> None:
    program = ProgramModule(load_exported(exported, allow_pickle=False)).eval()
    image = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(program(image), mixed(image), rtol=1e-5, atol=1e-6)
        # The network itself stays in float32 where it makes a tensor of ones: here that follows as well.
        double = copy.deepcopy(program).double()(image.double())
        expected = copy.deepcopy(mixed).double()(image.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double, expected, rtol=1e-12, atol=1e-12)


def test_a_copy_is_free(exported: Path) -> None:
    program = ProgramModule(load_exported(exported, allow_pickle=False))
    other = copy.deepcopy(program).double().float()
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    assert any(weight.abs().sum() > 0 for weight in program.parameters())


@pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)`:FutureWarning")  # torch's own
@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.BatchNorm2d(3), "measures its statistics from each batch"),
        (nn.BatchNorm2d(3, track_running_stats=False).eval(), "measures its statistics from each batch"),
        (nn.Dropout(0.5), "drops numbers at random"),
    ],
)
def test_training_is_refused_by_name(module: nn.Module, said: str, tmp_path: Path) -> None:
    program = torch.export.export(nn.Sequential(module), (torch.zeros(2, *SIZE),))
    (text,) = training_operators(program.graph)
    assert said in text
    assert "(module 0)" in text
    torch.export.save(program, tmp_path / "training.pt2")
    with pytest.raises(ProgramInputError, match=r"network.eval\(\).*\[PROGRAM_TRAINING\]"):
        load_exported(tmp_path / "training.pt2", allow_pickle=False)


def test_inference_has_no_training_operators(exported: Path) -> None:
    assert list(training_operators(load_exported(exported, allow_pickle=False).graph)) == []
    assert Mixed().training


def test_parts_that_do_not_belong_together_are_damaged(exported: Path, tmp_path: Path) -> None:
    def forget(model: Any) -> None:
        model["graph_module"]["module_call_graph"][0]["signature"] = None

    path = changed(exported, "model.json", forget, tmp_path / "bad.pt2")
    with pytest.raises(ProgramInputError, match=r"\[PROGRAM_DAMAGED\]"):
        as_module(path, load_exported(path, allow_pickle=False))


def test_another_schema_is_damaged(exported: Path, tmp_path: Path) -> None:
    path = changed(exported, "model.json", lambda model: model["schema_version"].update(major=99), tmp_path / "new.pt2")
    with pytest.raises(ProgramInputError, match=r"cannot load it.*\[PROGRAM_DAMAGED\]"):
        load_exported(path, allow_pickle=False)
