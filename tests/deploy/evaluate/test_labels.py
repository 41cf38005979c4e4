"""Networks that score labels: condmix eval and --max-drop know how well they do."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from condmix.deploy.errors import ImagesError
from condmix.deploy.evaluate.intake import Intake
from condmix.deploy.evaluate.label_location import is_label_set
from condmix.deploy.evaluate.label_set import read_label_set
from condmix.models.preprocessing import Preprocessing
from tests.deploy.conftest import Run

LABELS, SIDE = 4, 12


class Labels(nn.Module):
    """Four labels of an image, each by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, LABELS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(3 * self.head(self.body(x).mean((2, 3))))


def build() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Labels().eval()


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Images, and what the network itself says of them with some noise."""
    generator = np.random.default_rng(0)
    images = generator.standard_normal((60, 3, SIDE, SIDE)).astype(np.float32)
    images += 2 * generator.standard_normal((60, 3, 1, 1)).astype(np.float32)
    with torch.no_grad():
        scores = build()(torch.from_numpy(images)).numpy()
    truth = scores + 0.05 * generator.standard_normal(scores.shape) > np.median(scores, axis=0)
    np.savez(tmp_path / "labelled.npz", images=images, labels=truth.astype(np.uint8))
    torch.save(build().state_dict(), tmp_path / "net.pt")
    return tmp_path / "labelled.npz"


def exported(condmix: Run, labelled: Path, *more: object) -> None:
    common = ("--factory", f"{__name__}:build", "--input-size", f"3x{SIDE}x{SIDE}", "-q", "-o", labelled.parent)
    ran = condmix("export", labelled.parent / "net.pt", "--format", "onnx,tflite", *common, *more)
    assert ran.code == 0, ran.err


@pytest.mark.slow
def test_files_are_scored_and_int8_is_held_to_it(condmix: Run, labelled: Path) -> None:
    folder = labelled.parent
    exported(condmix, labelled)
    exported(condmix, labelled, "--int8", "--calib", labelled, "--evaluate", labelled, "--max-drop", "0.05")
    record = json.loads((folder / "net_int8.condmix.json").read_text(encoding="utf-8"))
    for file in record["artifacts"]:
        assert file["accuracy"]["measure"] == "mean average precision"
        assert file["accuracy"]["met"]
    files = [folder / name for name in ("net.onnx", "net.tflite", "net_int8.onnx", "net_int8.tflite")]
    ran = condmix("eval", *files, "--labelled", labelled, "-o", folder / "out", "--json", "-q")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report == json.loads((folder / "out" / "evaluation.json").read_text(encoding="utf-8"))
    with np.load(labelled) as members, torch.no_grad():
        scores = build()(torch.from_numpy(members["images"])).numpy()
        truth = members["labels"].astype(bool)
    first, tflite, *rounded = report["files"]
    expected = [average_precision_score(truth[:, label], scores[:, label]) for label in range(LABELS)]
    assert first["scores"]["average_precision"] == pytest.approx(expected, abs=1e-9)
    assert first["scores"]["exact_match"] == pytest.approx(((scores > 0.5) == truth).all(axis=1).mean())
    assert 0.8 < first["scores"]["mean_average_precision"] < 1
    assert tflite["max_difference"] < 1e-5
    assert tflite["same_labels"] == 1
    for file in rounded:
        assert 1e-5 < file["max_difference"] < 0.1
        assert abs(file["scores"]["mean_average_precision"] - np.mean(expected)) < 0.05
    assert "| net_int8.tflite |" in (folder / "out" / "evaluation.md").read_text(encoding="utf-8")
    ran = condmix("eval", files[0], "--labelled", labelled, "-o", folder / "out", "--top", "1", "-q")
    assert (ran.code, "--top: leave it out" in ran.err) == (2, True)


def intake(names: tuple[str, ...] | None) -> Intake:
    usual = Preprocessing.default(3)
    return Intake(input_size=(3, 8, 8), preprocessing=usual, says_preprocessing=True, class_names=names)


def pictures(folder: Path, rows: list[list[str]]) -> Path:
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (10, 10), (80 * number, 10, 10)).save(folder / f"{number}.png")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


def test_a_table_beside_pictures(tmp_path: Path) -> None:
    rows = [["file", "labels"], ["2.png", "dog;cat"], ["0.png", ""], ["1.png", "cat"]]
    folder = pictures(tmp_path / "set", rows)
    assert is_label_set(folder)
    found = read_label_set(folder, intake(("cat", "cow", "dog")), 3)
    assert found.images_nchw.shape == (3, 3, 8, 8)
    assert found.truth.astype(int).tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 1]]
    numbered = [[*row[:1], row[1].replace("dog", "2").replace("cat", "0")] for row in rows]
    again = read_label_set(pictures(tmp_path / "numbers", [["file", "labels"], *numbered[1:]]), intake(None), 3)
    assert np.array_equal(again.truth, found.truth)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["file", "label"], ["0.png", "cat"]], "expected the columns file,labels"),
        ([["file", "labels"], ["0.png", "cat"], ["1.png", ""]], "1 pictures without a row: 2.png"),
        ([["file", "labels"], ["0.png", ""], ["1.png", ""], ["2.png", ""], ["9.png", ""]], "1 rows without a picture"),
        ([["file", "labels"], ["0.png", "owl"], ["1.png", ""], ["2.png", ""]], "does not know: owl"),
        ([["file", "labels"], ["0.png", ""], ["0.png", ""], ["1.png", ""], ["2.png", ""]], "a picture has two rows"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, rows: list[list[str]], words: str) -> None:
    with pytest.raises(ImagesError, match=words):
        read_label_set(pictures(tmp_path / "set", rows), intake(("cat", "dog")), 2)


def test_a_matrix_has_a_row_an_image_and_zeros_and_ones(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    for labels in (np.zeros((2, 3)), np.zeros((2, 4), int), np.full((2, 3), 2)):
        np.savez(path, images=np.zeros((2, 3, 8, 8), np.float32), labels=labels)
        assert is_label_set(path)
        with pytest.raises(ImagesError, match=r"expected 0 and 1 of shape \(2, 3\)"):
            read_label_set(path, intake(None), 3)
    np.savez(path, images=np.zeros((2, 3, 8, 8), np.float32), labels=np.zeros(2, int))
    assert not is_label_set(path)
