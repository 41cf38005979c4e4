"""Unpacking: beside, then renamed; never outside; nothing left of a bundle that is not right."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from condmix.runtime.bundle.errors import BundleError, DamagedBundleError, UnpackError
from condmix.runtime.bundle.reader import Bundle, check_bundle
from condmix.runtime.bundle.unpack import unpack, unpacked
from tests.runtime.bundle.bundles import contents, with_manifest, write_zip


def listing(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_what_is_unpacked_is_the_bundle(tmp_path: Path, bundle_file: Path, members: dict[str, bytes]) -> None:
    found = unpack(bundle_file, tmp_path / "out")
    assert {entry.name: entry.read_bytes() for entry in found.folder.iterdir()} == members
    assert found.path("net.onnx").read_bytes() == members["net.onnx"]
    assert check_bundle(found.folder) == found.manifest
    assert listing(tmp_path) == {"net.condmix.zip", "out"}


def test_a_folder_is_copied(tmp_path: Path, bundle_folder: Path) -> None:
    assert check_bundle(unpack(bundle_folder, tmp_path / "out").folder) == check_bundle(bundle_folder)


def test_a_temporary_folder_is_gone_afterwards(bundle_file: Path) -> None:
    with unpacked(bundle_file) as found:
        assert found.path("net.onnx").is_file()
    assert not found.folder.exists()
    with pytest.raises(KeyError):
        found.path("../net.onnx")


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_what_exists_is_never_written_to(tmp_path: Path, bundle_file: Path, kind: str) -> None:
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(elsewhere if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(UnpackError, match="it exists"):
        unpack(bundle_file, target)
    assert listing(tmp_path) == {"net.condmix.zip", "out", "elsewhere"}
    assert listing(elsewhere) == set()


def test_nothing_is_left_of_a_damaged_bundle(tmp_path: Path, members: dict[str, bytes]) -> None:
    members["net.onnx"] = members["net.onnx"][::-1]
    members["MODEL_CARD.md"] = members["MODEL_CARD.md"][::-1]
    path = write_zip(tmp_path / "a.zip", members)
    with pytest.raises(DamagedBundleError) as caught:
        unpack(path, tmp_path / "out")
    assert caught.value.members == ("MODEL_CARD.md", "net.onnx")
    assert listing(tmp_path) == {"a.zip"}


@pytest.mark.parametrize("name", ["../evil", "/tmp/condmix-evil", "a/../../evil", "..\\evil", "sub/evil"])
def test_nothing_is_ever_written_outside(tmp_path: Path, name: str) -> None:
    home = tmp_path / "deep" / "home"
    home.mkdir(parents=True)
    path = write_zip(home / "a.zip", {**with_manifest(contents()), name: b"evil"})
    with pytest.raises(BundleError, match="evil"):
        unpack(path, home / "out")
    assert listing(home) == {"a.zip"}
    assert listing(tmp_path) == {"deep"}
    assert listing(tmp_path / "deep") == {"home"}
    assert not Path("/tmp/condmix-evil").exists()


def test_a_disk_that_is_full(tmp_path: Path, bundle_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(_bundle: Bundle, _member: object, _sink: io.RawIOBase) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Bundle, "copy", copy)
    with pytest.raises(UnpackError, match="No space left on device"):
        unpack(bundle_file, tmp_path / "out")
    assert listing(tmp_path) == {"net.condmix.zip"}


def test_an_interruption_leaves_nothing(tmp_path: Path, bundle_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(_bundle: Bundle, _member: object, _sink: io.RawIOBase) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "copy", copy)
    with pytest.raises(KeyboardInterrupt):
        unpack(bundle_file, tmp_path / "out")
    assert listing(tmp_path) == {"net.condmix.zip"}


def test_no_folder_to_unpack_into(tmp_path: Path, bundle_file: Path) -> None:
    with pytest.raises(UnpackError, match="No such file"):
        unpack(bundle_file, tmp_path / "none" / "out")


def test_files_may_be_read_by_others_as_usual(tmp_path: Path, bundle_file: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    found = unpack(bundle_file, tmp_path / "out")
    assert found.folder.stat().st_mode == plain.stat().st_mode
