"""The files of an evaluation: opened, completed from each other, and refused together with every reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from condmix.deploy.commands import root
from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.evaluate import subjects as module
from condmix.deploy.evaluate.subjects import read_subjects
from condmix.deploy.measure.errors import EnginesMissingError
from condmix.models.preprocessing import Preprocessing
from condmix.runtime.errors import EngineMissingError
from tests.deploy.bundle.conftest import make_export
from tests.deploy.evaluate.conftest import CLASSES, METADATA, WEIGHT, write_onnx, write_tflite


def test_files_are_named_and_completed_from_each_other(files: tuple[Path, ...]) -> None:
    found = read_subjects(files, None, batch=None)
    assert [file.name for file in found.files] == ["exact.onnx", "exact.tflite", "rounded"]
    assert [file.engine for file in found.files] == ["onnxruntime", "ai-edge-litert", "onnxruntime"]
    assert {(file.batch, file.class_count) for file in found.files} == {(1, len(CLASSES))}
    tflite = found.files[1].intake
    assert tflite.says_preprocessing
    assert tflite.class_names == CLASSES
    assert found.notes == ("exact.tflite says nothing of preprocessing: it gets that of exact.onnx",)


def test_the_yardstick_comes_first(files: tuple[Path, ...], tmp_path: Path) -> None:
    assert read_subjects(files, files[2], batch=None).files[0].name == "rounded"
    assert len(read_subjects(files, files[2], batch=None).files) == 3
    other = write_onnx(tmp_path / "other.onnx")
    assert [one.name for one in read_subjects(files, other, batch=None).files][:2] == ["other", "exact.onnx"]


def test_the_batch_is_for_files_that_leave_it_free(files: tuple[Path, ...]) -> None:
    assert [file.batch for file in read_subjects(files, None, batch=4).files] == [4, 1, 4]
    with pytest.raises(PlanError, match="--batch is about files that take any number of images"):
        read_subjects(files[1:2], None, batch=4)


def test_different_preprocessing_is_told(files: tuple[Path, ...], tmp_path: Path) -> None:
    other = {**METADATA, "preprocessing": json.dumps(Preprocessing(mean=(0.1,), std=(0.2,)).to_dict())}
    given = (files[0], write_onnx(tmp_path / "other.onnx", metadata=other))
    assert read_subjects(given, None, batch=None).notes == (
        "the files take pictures of different size or preprocessing: each gets its own",
    )


def test_models_in_a_bundle_are_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make_export(tmp_path / "out")
    path = tmp_path / "net.condmix.zip"
    assert CliRunner().invoke(root.condmix, ["bundle", str(tmp_path / "out"), "-o", str(path)]).exit_code == 0
    # Its model takes four numbers and no images; that is said of the member, not of a temporary file.
    with pytest.raises(UnreadableFileError, match=r"net\.condmix\.zip/net\.onnx: its input is \(1, 4\)"):
        read_subjects([path], None, batch=None)


def test_a_damaged_bundle_and_a_checkpoint_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(UnreadableFileError) as caught:
        read_subjects([tmp_path / "bad.zip", tmp_path / "net.pt"], None, batch=None)
    assert "bad.zip" in str(caught.value)
    assert "net.pt is a checkpoint: export it (condmix export" in str(caught.value)


def test_everything_wrong_is_told_at_once(tmp_path: Path, files: tuple[Path, ...]) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\xff" * 30)
    flat = write_onnx(tmp_path / "flat.onnx", shape=(1, "H", "W"), metadata={})
    one_class = write_onnx(tmp_path / "one.onnx", WEIGHT[:1], metadata={})
    given = [files[0], files[0], tmp_path / "absent.onnx", tmp_path / "damaged.onnx", flat, one_class]
    with pytest.raises(UnreadableFileError) as caught:
        read_subjects(given, None, batch=None)
    text = str(caught.value)
    for said in (
        "exact.onnx is given twice", "absent.onnx", "damaged.onnx", "flat.onnx: its input is (N, 1, H, W)",
        "one.onnx: nothing can be compared", "expected two or more scores an image",
    ):  # fmt: skip
        assert said in text


def test_a_file_whose_classes_do_not_fit_its_scores_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", metadata={**METADATA, "class_names": '["cat", "dog"]'})
    with pytest.raises(UnreadableFileError, match=r"a\.onnx: it names 2 classes and gives 6 scores"):
        read_subjects([path], None, batch=None)


def test_files_of_different_tasks_are_refused(files: tuple[Path, ...], tmp_path: Path) -> None:
    fewer = write_onnx(tmp_path / "fewer.onnx", WEIGHT[:4], metadata={})
    with pytest.raises(PlanError, match=r"different numbers of classes apart \(exact\.onnx 6, .*fewer 4\)"):
        read_subjects([*files, fewer], None, batch=None)
    turned = {**METADATA, "class_names": json.dumps(CLASSES[::-1])}
    other = write_onnx(tmp_path / "turned.onnx", metadata=turned)
    with pytest.raises(PlanError, match="they name different classes, or the same in another order"):
        read_subjects([files[0], other], None, batch=None)


def test_a_missing_engine_is_named(files: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: object) -> object:
        engine = "litert"
        raise EngineMissingError(engine, "litert", "no wheel")

    monkeypatch.setattr(module.ModelSource, "open", missing)
    with pytest.raises(EnginesMissingError, match="pip install"):
        read_subjects(files[:1], None, batch=None)


def test_weights_beside_a_file_belong_to_it(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", external=True)
    (first,) = read_subjects([path], None, batch=None).files
    (tmp_path / "a.data").write_bytes(np.zeros_like(WEIGHT).tobytes())
    (second,) = read_subjects([path], None, batch=None).files
    assert first.source.sha256 == second.source.sha256
    assert first.source.content_sha256 != second.source.content_sha256


def test_the_only_yardstick_of_a_tflite_file_is_itself(tmp_path: Path) -> None:
    found = read_subjects([write_tflite(tmp_path / "a.tflite")], None, batch=None)
    assert found.files[0].intake.says_preprocessing is False
    assert found.notes == ()


def test_a_file_that_scores_no_classes_is_refused_with_what_it_gives(tmp_path: Path) -> None:
    metadata = {**METADATA, "output_kinds": json.dumps({"scores": "embedding"})}
    path = write_onnx(tmp_path / "embedding.onnx", metadata=metadata)
    with pytest.raises(UnreadableFileError) as caught:
        read_subjects((path,), None, batch=None)
    wanted = "none of its outputs scores classes, which labels could be compared with: 'scores' (embedding)"
    assert wanted in str(caught.value)
