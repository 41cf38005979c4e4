"""Tests of condmix.models.torch_file: reading never runs code unless that is allowed."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from condmix.models.errors import CheckpointError, NotACheckpointError, PickleRefusedError
from condmix.models.file_kind import identify
from condmix.models.torch_file import read


class Evil:
    """Reading this from a pickle makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


WAYS_TO_SAVE: dict[str, dict[str, Any]] = {
    "zip": {},
    "legacy": {"_use_new_zipfile_serialization": False},
    "protocol 4": {"pickle_protocol": 4},
    "legacy, protocol 4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
}


@pytest.mark.parametrize("options", WAYS_TO_SAVE.values(), ids=WAYS_TO_SAVE.keys())
def test_a_malicious_pickle_is_refused_by_name_and_not_run(tmp_path, options):
    path, marker = tmp_path / "a.pt", tmp_path / "marker"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "extra": Evil(marker)}, path, **options)
    with pytest.raises(PickleRefusedError) as caught:
        read(path, identify(path), allow_pickle=False)

    assert not marker.exists()
    assert caught.value.wants == (f"{os.mkdir.__module__}.mkdir",)
    assert str(caught.value) == (
        f"{path}: holds more than tensors and plain data: it wants to import {os.mkdir.__module__}.mkdir. Reading "
        "it would run code from the file, so nothing was read. Save the weights alone with "
        "torch.save(network.state_dict(), 'weights.pt'), or, if you trust where the file comes from, read it with "
        "--allow-pickle"
    )

    # The same file does run once it is allowed: the test above can fail.
    _, ran = read(path, identify(path), allow_pickle=True)
    assert ran
    assert marker.exists()


def test_a_whole_module_names_its_classes_in_short(tmp_path):
    path = tmp_path / "a.pt"
    layers = [
        torch.nn.Linear(1, 1),
        torch.nn.ReLU(),
        torch.nn.Sigmoid(),
        torch.nn.Tanh(),
        torch.nn.Flatten(),
        torch.nn.Dropout(),
        torch.nn.ELU(),
        torch.nn.GELU(),
        torch.nn.Softmax(dim=1),
    ]
    torch.save(torch.nn.Sequential(*layers), path)
    with pytest.raises(PickleRefusedError) as caught:
        read(path, identify(path), allow_pickle=False)
    assert caught.value.wants[:2] == ("torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear")
    assert len(caught.value.wants) == 10
    assert "torch.nn.modules.activation.ELU and 2 more. Reading" in str(caught.value)
    content, ran = read(path, identify(path), allow_pickle=True)
    assert isinstance(content, torch.nn.Sequential)
    assert ran


def test_what_training_scripts_leave_beside_the_weights_is_no_reason_to_refuse(tmp_path):
    path = tmp_path / "a.pt"
    saved = {
        "state_dict": {"weight": torch.ones(2)},
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.75),
        "epoch": np.int64(3),
    }
    torch.save(saved, path)
    content, ran = read(path, identify(path), allow_pickle=False)
    assert not ran
    assert isinstance(content, dict)
    assert content["args"] == argparse.Namespace(lr=0.1)
    assert (content["best"], content["epoch"]) == (0.75, 3)


def test_the_list_of_harmless_things_ends_with_the_reading(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"args": argparse.Namespace(lr=0.1)}, path)
    # torch keeps a set: the order of its list says nothing.
    before = set(torch.serialization.get_safe_globals())
    read(path, identify(path), allow_pickle=False)
    assert set(torch.serialization.get_safe_globals()) == before
    assert argparse.Namespace not in before


def test_plain_data_that_safe_reading_cannot_follow_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"weight": torch.ones(2)}, path, pickle_protocol=4)
    with pytest.raises(PickleRefusedError, match=r"is a pickle that safe reading refuses \(Unsupported operand 149\)"):
        read(path, identify(path), allow_pickle=False)
    content, ran = read(path, identify(path), allow_pickle=True)
    assert isinstance(content, dict)
    assert ran


def test_a_pickle_that_was_allowed_and_fails_says_so(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    (tmp_path / "passing_module.py").write_text("class Passing:\n    pass\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        import passing_module

        torch.save({"a": passing_module.Passing()}, path)
    del sys.modules["passing_module"]
    with pytest.raises(CheckpointError) as caught:
        read(path, identify(path), allow_pickle=True)
    assert str(caught.value) == (
        f"{path}: its pickle was run, as allowed, and failed with ModuleNotFoundError: No module named "
        "'passing_module'; install or put into the working directory the code it was saved with"
    )


def test_code_in_the_working_directory_is_found_for_an_allowed_pickle(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    (tmp_path / "local_classes.py").write_text("class Local:\n    pass\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        import local_classes

        torch.save({"a": local_classes.Local()}, path)
    del sys.modules["local_classes"]
    monkeypatch.chdir(tmp_path)
    content, _ = read(path, identify(path), allow_pickle=True)
    assert isinstance(content, dict)
    assert type(content["a"]).__name__ == "Local"


@pytest.mark.parametrize("kept", [40, 200, 700])
def test_a_cut_off_legacy_file(tmp_path, kept):
    path = tmp_path / "a.pt"
    torch.save({"weight": torch.ones(200)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(NotACheckpointError, match=r"is cut off or damaged \(.+\); copy or download it again$"):
        read(path, identify(path), allow_pickle=False)


def test_tensors_come_to_the_cpu_with_their_numbers(tmp_path):
    path = tmp_path / "a.pt"
    weights = {"weight": torch.arange(6.0).reshape(2, 3)}
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        torch.save(weights, path, **options)
        content, ran = read(path, identify(path), allow_pickle=False)
        assert isinstance(content, dict)
        assert torch.equal(content["weight"], weights["weight"])
        assert not ran
