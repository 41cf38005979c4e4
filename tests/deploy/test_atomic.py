"""Files appear whole, together, or not at all; older ones come back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from condmix.deploy import atomic
from condmix.deploy.atomic import PendingFiles, pending_files, require_room
from condmix.deploy.errors import OutputError, PlanError
from tests.deploy.conftest import files_in


def _write(paths: tuple[Path, ...], *, overwrite: bool, then: Callable[[PendingFiles], None]) -> None:
    with pending_files(overwrite=overwrite) as files:
        for path in paths:
            files.write(path, b"new")
        then(files)


def test_files_appear_with_commit_and_not_before(tmp_path: Path) -> None:
    first, second = tmp_path / "a.onnx", tmp_path / "a.json"
    with pending_files(overwrite=False) as files:
        partial = files.write(first, b"one")
        files.write(second, b"two")
        assert partial.read_bytes() == b"one"
        assert not first.exists()
        files.commit()
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert files_in(tmp_path) == {"a.onnx", "a.json"}


def test_without_commit_nothing_remains(tmp_path: Path) -> None:
    with pending_files(overwrite=False) as files:
        files.write(tmp_path / "a.onnx", b"one")
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_any_failure_nothing_remains_and_the_old_file_does(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")

    def fail(_files: PendingFiles) -> None:
        raise failure

    with pytest.raises(failure):
        _write((path,), overwrite=True, then=fail)
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == {"a.onnx"}


def test_a_full_disk_leaves_nothing_and_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"), pending_files(overwrite=True) as files:
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == {"a.onnx"}


@pytest.mark.parametrize("hard_links", [True, False])
def test_when_the_second_file_cannot_be_renamed_the_first_old_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    first, second = tmp_path / "a.onnx", tmp_path / "a.json"
    first.write_bytes(b"old")
    if not hard_links:
        monkeypatch.setattr(atomic.os, "link", _refuse_link)
    rename = atomic._rename

    def fail_on_second(source: Path, target: Path) -> None:
        if target == second:
            raise OutputError(target, OSError(errno.EIO, "Input/output error"))
        rename(source, target)

    monkeypatch.setattr(atomic, "_rename", fail_on_second)
    with pytest.raises(OutputError, match=r"a\.json"):
        _write((first, second), overwrite=True, then=PendingFiles.commit)
    assert first.read_bytes() == b"old"
    assert files_in(tmp_path) == {"a.onnx"}


def test_when_the_second_file_cannot_be_renamed_a_new_first_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "a.json"
    rename = atomic._rename

    def fail_on_second(source: Path, target: Path) -> None:
        if target == second:
            raise OutputError(target, OSError(errno.EIO, "Input/output error"))
        rename(source, target)

    monkeypatch.setattr(atomic, "_rename", fail_on_second)
    with pytest.raises(OutputError):
        _write((tmp_path / "a.onnx", second), overwrite=False, then=PendingFiles.commit)
    assert files_in(tmp_path) == set()


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"

    def commit_too_late(files: PendingFiles) -> None:
        path.write_bytes(b"of another program")
        files.commit()

    with pytest.raises(PlanError, match=r"a\.onnx"):
        _write((path,), overwrite=False, then=commit_too_late)
    assert path.read_bytes() == b"of another program"
    assert files_in(tmp_path) == {"a.onnx"}


def test_all_existing_files_are_listed_at_once(tmp_path: Path) -> None:
    paths = (tmp_path / "a.onnx", tmp_path / "b", tmp_path / "c.json")
    paths[0].touch()
    paths[2].touch()
    with pytest.raises(PlanError) as caught:
        require_room(paths, overwrite=False)
    assert caught.value.problems == (str(paths[0]), str(paths[2]))
    require_room(paths, overwrite=True)


def test_a_folder_in_the_way_is_refused_even_with_overwrite(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(PlanError, match="is a folder"):
        require_room((tmp_path / "a.onnx",), overwrite=True)


def test_a_place_that_takes_no_file_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        require_room((tmp_path / "file" / "a.onnx",), overwrite=False)
    with pytest.raises(OutputError, match="mkdir -p"):
        require_room((tmp_path / "absent" / "a.onnx",), overwrite=False)
    require_room((tmp_path / "a.onnx",), overwrite=False)
    assert files_in(tmp_path) == {"file"}


def _refuse_link(_source: Path, _target: Path) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
