"""Tests of condmix.models.safetensors_file."""

import pytest
import torch
from safetensors.torch import save_file

from condmix.models.errors import NotACheckpointError
from condmix.models.safetensors_file import read


def test_tensors_and_texts_come_back(tmp_path):
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    save_file(weights, tmp_path / "a.safetensors", {"arch": "mixnet_s"})
    tensors, texts = read(tmp_path / "a.safetensors")
    assert tensors.keys() == weights.keys()
    assert all(torch.equal(tensors[name], weights[name]) for name in weights)
    assert texts == {"arch": "mixnet_s"}


def test_a_file_without_texts(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert read(tmp_path / "a.safetensors")[1] == {}


def test_a_cut_off_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(200)}, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(NotACheckpointError, match=r"is cut off or damaged \(.+\); copy or download it again$"):
        read(path)
