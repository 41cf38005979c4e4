"""Tests of condmix.models.atomic_write."""

import stat

import pytest

from condmix.models.atomic_write import written_whole


def test_the_file_appears_at_the_end_and_replaces_the_older_one(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"old")
    with written_whole(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_nothing_has_changed(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with written_whole(path) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_usual_permissions(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with written_whole(tmp_path / "a.pt") as stream:
        stream.write(b"x")
    assert stat.S_IMODE((tmp_path / "a.pt").stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)
