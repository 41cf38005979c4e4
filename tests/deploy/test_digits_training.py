"""condmix train: a checkpoint that loads, repeatably, and networks that do not suit refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from condmix.deploy.digits_training import check_suits_digits
from condmix.deploy.errors import PlanError
from condmix.deploy.loading import Loading, load_network
from condmix.deploy.torch_threads import one_torch_thread
from condmix.models.digits import CLASS_NAMES
from condmix.models.errors import CheckpointError, UnknownArchitectureError
from tests.deploy.conftest import Run, files_in

SMALL = ("mixnet_digits", "--set", "width=0.5", "--epochs", "1")


@pytest.mark.usefixtures("few_digits")
def test_training_saves_a_checkpoint_that_loads(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("train", *SMALL, "-o", tmp_path / "a.pt")
    assert ran.code == 0
    assert files_in(tmp_path) == {"a.pt"}
    assert "held-out digits" in ran.out
    assert f"condmix-export {tmp_path}/a.pt --format onnx" in ran.out
    assert ran.err.startswith("condmix: mixnet_digits epoch 1/1 loss ")
    network = load_network(Loading(model=tmp_path / "a.pt"))
    assert network.class_names == CLASS_NAMES
    assert network.settings == {"width": 0.5}

    as_json = condmix("train", *SMALL, "-o", tmp_path / "b.pt", "--json", "-q")
    record = json.loads(as_json.out)
    assert as_json.err == ""
    assert record["held_out_count"] == 360
    assert 0.05 < record["held_out_accuracy"] <= 1
    again = load_network(Loading(model=tmp_path / "b.pt"))
    assert all(
        torch.equal(first, second)
        for first, second in zip(network.module.state_dict().values(), again.module.state_dict().values(), strict=True)
    )


@pytest.mark.usefixtures("few_digits")
def test_how_to_train_can_be_said(condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from condmix.models import training
    from condmix.models.training import TrainingResult, TrainingSettings

    result = TrainingResult(epoch_losses=(1.0,), held_out_accuracy=0.5, held_out_count=360, seconds=0.1)
    used: list[TrainingSettings] = []

    def note(_module: object, _data: object, settings: TrainingSettings, _report: object) -> TrainingResult:
        used.append(settings)
        return result

    monkeypatch.setattr(training, "train", note)
    said = {"epochs": 3, "learning_rate": 2e-3, "batch_size": 32, "routing_rate": 2.0, "seed": 4}
    flags = [text for name, value in said.items() for text in (f"--{name.replace('_', '-')}", value)]
    ran = condmix("train", "mixnet_digits", "-o", tmp_path / "a.pt", "--json", *flags)
    record = json.loads(ran.out)
    assert {name: record[name] for name in said} == said
    record = json.loads(condmix("train", "mixnet_digits", "-o", tmp_path / "b.pt", "--json").out)
    assert {name: record[name] for name in said} == {name: getattr(TrainingSettings(), name) for name in said}
    assert used == [TrainingSettings(**said), TrainingSettings()]  # type: ignore[arg-type]


def test_a_network_that_does_not_suit_is_refused_with_what_would(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("train", "mixnet_s", "-o", tmp_path / "a.pt")
    assert ran.code == 2
    assert "mixnet_s cannot be trained on the digits (grey, ten classes)" in ran.err
    assert "it takes 3x224x224 and names 1000 classes" in ran.err
    assert "--set in_channels=1 --set num_classes=10" in ran.err
    check_suits_digits("mixnet_s", {"in_channels": 1, "input_size": 64, "num_classes": 10})
    with pytest.raises(PlanError, match="give --set num_classes=10"):
        check_suits_digits("mixnet_digits", {"num_classes": 3})
    with pytest.raises(UnknownArchitectureError):
        check_suits_digits("mixnet_digit", {})


def test_an_existing_file_is_not_replaced(condmix: Run, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"old")
    ran = condmix("train", *SMALL, "-o", tmp_path / "a.pt")
    assert ran.code == 2
    assert (tmp_path / "a.pt").read_bytes() == b"old"


def test_a_place_that_takes_no_file_is_told_before_training(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("train", *SMALL, "-o", tmp_path / "absent" / "a.pt")
    assert ran.code == 1
    assert "epoch" not in ran.err


@pytest.mark.parametrize(("cause", "code"), [(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1), (None, 3)])
def test_a_checkpoint_that_cannot_be_saved(
    condmix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: OSError | None, code: int
) -> None:
    from condmix.models import checkpoint, training
    from condmix.models.training import TrainingResult

    def fail(*_arguments: object, **_options: object) -> None:
        message = "not saved"
        raise CheckpointError(message) from cause

    result = TrainingResult(epoch_losses=(1.0,), held_out_accuracy=0.5, held_out_count=360, seconds=0.1)
    monkeypatch.setattr(training, "train", lambda *_arguments: result)
    monkeypatch.setattr(checkpoint, "save", fail)
    ran = condmix("train", *SMALL, "-o", tmp_path / "a.pt")
    assert ran.code == code
    assert ("No space left on device" in ran.err) == (code == 1)
    assert files_in(tmp_path) == set()


def test_the_number_of_threads_is_given_back() -> None:
    torch.set_num_threads(2)
    try:
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


@pytest.mark.usefixtures("few_digits")
def test_the_pictures_are_brought_to_the_size_of_the_network(condmix: Run, tmp_path: Path) -> None:
    ran = condmix("train", *SMALL, "-o", tmp_path / "a.pt", "--set", "input_size=40")
    assert ran.code == 0, ran.err
    assert load_network(Loading(model=tmp_path / "a.pt")).input_size == (1, 40, 40)
