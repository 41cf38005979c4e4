"""Saving checkpoints: what could not be loaded is refused, and a file that cannot be written leaves the older one."""

from typing import Any

import pytest
import torch

from condmix.models.errors import CheckpointError, KeyMismatchError, NonFiniteWeightsError, UnknownArchitectureError
from condmix.models.preprocessing import Preprocessing
from tests.models.checkpoints import save, trained


def test_saving_refuses_what_could_not_be_loaded(tmp_path):
    path, module = tmp_path / "a.pt", trained()
    with pytest.raises(KeyMismatchError, match="do not fit mixnet_digits with these settings"):
        save(path, module, architecture="mixnet_digits")
    with pytest.raises(UnknownArchitectureError):
        save(path, module, architecture="my_net")
    with pytest.raises(CheckpointError) as caught:
        save(
            path,
            module,
            input_size=(2, 32, 32),
            preprocessing=Preprocessing.default(3),
            class_names=("only", "two"),
        )
    assert str(caught.value) == (
        f"{path}: not saved: input_size has 2 channels, condconv_digits with these settings has 1; preprocessing has 3 "
        "channels, condconv_digits with these settings has 1; class_names has 2 names, condconv_digits with these "
        "settings has 10 classes"
    )
    with pytest.raises(CheckpointError, match=r"input_size is \[1, 32\], expected \[channels, height, width\]"):
        save(path, module, input_size=(1, 32))
    with torch.no_grad():
        next(module.parameters()).fill_(float("inf"))
    with pytest.raises(NonFiniteWeightsError):
        save(path, module)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "shown"), [("a.safetensors", "'.safetensors'"), ("a", "'no suffix'")])
def test_saving_under_a_misleading_suffix(tmp_path, name, shown):
    with pytest.raises(CheckpointError) as caught:
        save(tmp_path / name, trained())
    assert str(caught.value) == f"{tmp_path / name}: a checkpoint is saved as .pt or .pth, not as {shown}"


def test_saving_where_nothing_can_be_written(tmp_path):
    path = tmp_path / "absent" / "a.pt"
    with pytest.raises(CheckpointError) as caught:
        save(path, trained())
    assert str(caught.value) == (
        f"{path}: cannot be written (No such file or directory); check the folder and its permissions"
    )


def test_a_full_disk_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    save(path, trained())
    before = path.read_bytes()

    def full(_: object, stream: Any) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"cannot be written \(No space left on device\)"):
        save(path, trained())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
