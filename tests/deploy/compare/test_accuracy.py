"""Top-1 of a file on labelled images, by its own engine and in its own layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from condmix.deploy.compare import accuracy
from condmix.deploy.compare.accuracy import labelled_images, top1_of
from condmix.deploy.errors import ImagesError
from condmix.exporters.build import Build
from condmix.exporters.tflite.build import TfliteBuild
from condmix.models import digits
from condmix.models.network import LoadedNetwork
from tests.runtime.conftest import build


@pytest.fixture
def labelled(network: LoadedNetwork, tmp_path: Path) -> Path:
    """Ten digits: seven with the class that PyTorch names, three with another."""
    images = digits.load().held_out_images[:10]
    with torch.no_grad():
        named = network.module(torch.from_numpy(images)).argmax(1).numpy()
    labels = np.where(np.arange(10) < 7, named, (named + 1) % 10)
    np.savez(tmp_path / "labelled.npz", images=images, labels=labels)
    return tmp_path / "labelled.npz"


def test_both_formats_name_what_pytorch_names(
    built: Build, tflite_built: TfliteBuild, network: LoadedNetwork, labelled: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(accuracy, "CHUNK", 4)
    images = labelled_images(str(labelled), network)
    (tmp_path / "net.onnx").write_bytes(built.final.proto.SerializeToString())
    (tmp_path / "net.tflite").write_bytes(tflite_built.content)
    said: list[str] = []
    for name in ("net.onnx", "net.tflite"):
        found = top1_of(tmp_path / name, images, said.append)
        assert found == {"top1": 0.7, "images": 10, "source": "labelled.npz"}
    assert said[2] == "accuracy of net.onnx (10 of 10)"


def test_images_without_labels_are_refused(network: LoadedNetwork, tmp_path: Path) -> None:
    np.save(tmp_path / "digits.npy", digits.load().held_out_images[:4])
    with pytest.raises(ImagesError, match="has no labels"):
        labelled_images(str(tmp_path / "digits.npy"), network)


def test_a_file_that_names_no_class_has_no_accuracy(network: LoadedNetwork, labelled: Path, tmp_path: Path) -> None:
    from onnx import helper

    node = helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)
    content = build([node], inputs={"x": [1, 1, 32, 32]}, outputs={"y": []}, constants={})
    (tmp_path / "mean.onnx").write_bytes(content)
    assert top1_of(tmp_path / "mean.onnx", labelled_images(str(labelled), network), lambda _stage: None) is None
