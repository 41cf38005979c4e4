"""A checkpoint after training: read back as it was, and a disk's refusal told as one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from condmix.deploy.errors import OutputError
from condmix.deploy.trained_checkpoint import save_trained
from condmix.models import checkpoint, zoo
from condmix.models.architectures import input_size
from condmix.models.detection_data import CLASS_NAMES, PREPROCESSING
from condmix.models.errors import CheckpointError

SETTINGS = {"width": 0.1, "input_size": 64}
NAME = "ssd_condconv_shapes"


def save(path: Path, module: torch.nn.Module) -> None:
    save_trained(
        path,
        module,
        architecture=NAME,
        settings=SETTINGS,
        input_size=input_size(zoo.settings_for(NAME, SETTINGS)),
        preprocessing=PREPROCESSING,
        class_names=CLASS_NAMES,
        remark="trained in a test",
    )


@pytest.fixture
def module() -> torch.nn.Module:
    torch.manual_seed(0)
    return zoo.build(NAME, SETTINGS)


def test_it_is_read_back(module: torch.nn.Module, tmp_path: Path) -> None:
    save(tmp_path / "net.pt", module)
    found = checkpoint.load(tmp_path / "net.pt")
    assert found.class_names == CLASS_NAMES
    assert any("trained in a test" in note for note in found.notes)
    stored = found.module.state_dict()
    assert all(torch.equal(stored[name], tensor) for name, tensor in module.state_dict().items())


def test_a_full_disk_is_told_as_one(module: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save(tmp_path / "net.pt", module)
    assert not list(tmp_path.iterdir())


def test_another_refusal_stays_what_it_is(module: torch.nn.Module, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"saved as \.pt or \.pth"):
        save(tmp_path / "net.bin", module)
