"""Only the bytes that were hashed are ever run: of a file, of its weights beside it, of a member of a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from condmix.deploy.commands import root
from condmix.deploy.evaluate.errors import NotTheSameError
from condmix.deploy.evaluate.model_source import ModelSource, sha256_of
from condmix.runtime.artifact import Format
from condmix.runtime.bundle.reader import open_bundle
from tests.deploy.bundle.conftest import IMAGES, make_export
from tests.deploy.evaluate.conftest import write_onnx, write_tflite


def source_of(path: Path, *weights: str) -> ModelSource:
    format = Format.TFLITE if path.suffix == ".tflite" else Format.ONNX
    hashes = tuple((name, sha256_of(path.parent / name)) for name in weights)
    return ModelSource(path=path, member=None, format=format, sha256=sha256_of(path), weights=hashes)


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 700_000)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(NotTheSameError, match="absent: cannot be read: No such file"):
        sha256_of(tmp_path / "absent")


def test_files_of_both_formats_open(tmp_path: Path) -> None:
    for path in (write_onnx(tmp_path / "a.onnx"), write_tflite(tmp_path / "a.tflite")):
        session, scales = source_of(path).open()
        assert session.signature.outputs[0].name == "scores"
        assert scales == {}


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    source = source_of(path)
    write_onnx(path, np.ones((6, 16), np.float32))
    with pytest.raises(NotTheSameError, match=r"a\.onnx: is not the file that was hashed"):
        source.open()


def test_changed_weights_beside_it_are_refused_and_change_the_hash(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", external=True)
    source = source_of(path, "a.data")
    source.open()
    (tmp_path / "a.data").write_bytes(np.zeros((6, 16), np.float32).tobytes())
    with pytest.raises(NotTheSameError, match=r"a\.data: is not the file"):
        source.open()
    assert source_of(path, "a.data").content_sha256 != source.content_sha256
    assert source_of(path).content_sha256 == sha256_of(path)


@pytest.fixture
def bundled(tmp_path: Path) -> ModelSource:
    (tmp_path / "out").mkdir()
    make_export(tmp_path / "out")
    path = tmp_path / "net.condmix.zip"
    written = CliRunner().invoke(root.condmix, ["bundle", str(tmp_path / "out"), "-o", str(path)])
    assert written.exit_code == 0, written.output
    with open_bundle(path) as bundle:
        member = bundle.manifest.member("net.onnx")
    return ModelSource(path=path, member="net.onnx", format=Format.ONNX, sha256=member.sha256)


def test_a_member_of_a_bundle_is_opened_where_it_lies(bundled: ModelSource) -> None:
    session, _ = bundled.open()
    assert session.run({"x": IMAGES[:1]})["y"].shape == (1, 5)
    assert bundled.place.endswith("net.condmix.zip, net.onnx")


def test_another_member_than_the_one_hashed_is_refused(bundled: ModelSource) -> None:
    with pytest.raises(NotTheSameError, match="is not the member that was hashed"):
        replace(bundled, sha256="0" * 64).open()
    with pytest.raises(NotTheSameError, match=r"absent\.onnx: cannot be read"):
        replace(bundled, member="absent.onnx").open()
    bundled.path.write_bytes(b"no zip")
    with pytest.raises(NotTheSameError, match="cannot be read"):
        bundled.open()
