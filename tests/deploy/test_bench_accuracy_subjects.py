"""Networks of the accuracy table: trained once, taken afterwards, and trained alike from the command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from condmix.deploy import digits_training
from condmix.deploy.bench.accuracy_subjects import SUBJECTS, AccuracySubject, trained_network
from condmix.deploy.digits_training import TrainedNetwork, check_suits_digits
from condmix.models.epochs import TrainingProgress
from condmix.models.training import TrainingResult, TrainingSettings
from tests.deploy.conftest import Run, files_in


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.network)
def test_the_command_trains_the_same_network(
    subject: AccuracySubject, condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_suits_digits(subject.network, subject.settings)
    asked: list[tuple[str, Mapping[str, object], TrainingSettings]] = []

    def note(
        architecture: str, settings: Mapping[str, object], training: TrainingSettings, path: Path, _report: object
    ) -> TrainedNetwork:
        asked.append((architecture, settings, training))
        result = TrainingResult(epoch_losses=(1.0,), held_out_accuracy=1.0, held_out_count=360, seconds=1.0)
        return TrainedNetwork(path=path, architecture=architecture, result=result)

    monkeypatch.setattr(digits_training, "train_digits", note)
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(subject.command)
    assert program == "condmix"
    assert condmix(*arguments).code == 0
    assert asked == [(subject.network, subject.settings, subject.training)]


@pytest.mark.usefixtures("few_digits")
def test_a_network_is_trained_where_there_is_none_and_taken_where_there_is(tmp_path: Path) -> None:
    subject = AccuracySubject(
        network="mixnet_digits", training=TrainingSettings(epochs=1), settings={"width": 0.5, "input_size": 16}
    )
    epochs: list[TrainingProgress] = []
    folder = tmp_path / "checkpoints"
    first, path = trained_network(subject, folder, epochs.append)
    assert files_in(folder) == {"mixnet_digits.pt"} == {path.name}
    assert len(epochs) == 1
    again, _ = trained_network(subject, folder, epochs.append)
    assert len(epochs) == 1
    assert again.input_size == (1, 16, 16)
    image = torch.ones(1, 1, 16, 16)
    assert torch.equal(first.module(image), again.module(image))
