"""A bundle among the files stands for its artifacts, which are gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from condmix.deploy.commands import root
from condmix.deploy.measure.bundle_files import model_files
from condmix.runtime.bundle.errors import BundleError
from tests.deploy.bundle.conftest import make_export


def test_a_bundle_is_its_artifacts_beside_their_reference(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    make_export(folder)
    bundle = tmp_path / "net.condmix.zip"
    written = CliRunner().invoke(root.condmix, ["bundle", str(folder), "-o", str(bundle)])
    assert written.exit_code == 0, written.output
    other = tmp_path / "other.onnx"
    with model_files([other, bundle]) as files:
        assert files[0] == other
        assert {path.suffix for path in files[1:]} <= {".onnx", ".tflite"}
        assert all(path.is_file() and list(path.parent.glob("*.reference.npz")) for path in files[1:])
        assert len(files) > 1
    assert not any(path.exists() for path in files[1:])


def test_a_file_that_is_no_bundle_is_refused_by_name(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(b"no zip")
    with pytest.raises(BundleError, match=r"wrong\.zip"), model_files([wrong]):
        pass


def test_what_is_not_there_is_left_to_the_plan() -> None:
    with model_files([Path("absent.zip"), Path("model.onnx")]) as files:
        assert files == (Path("absent.zip"), Path("model.onnx"))
