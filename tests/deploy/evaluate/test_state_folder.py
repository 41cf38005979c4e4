"""Shards on the disk: found again to the bit, and measured again when anything about them is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from condmix.deploy.errors import OutputError
from condmix.deploy.evaluate.image_rows import ImageRows
from condmix.deploy.evaluate.shard import Shard
from condmix.deploy.evaluate.state_folder import StateFolder

KEY = "ab" * 32
SHARD = Shard(key=KEY, rows=ImageRows(answers=(1, 2), ranks=(0, 1)), machine="a CPU")


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.make()
    folder.store(SHARD)
    return folder


def only_file(state: StateFolder) -> Path:
    (path,) = state.folder.iterdir()
    return path


def test_a_shard_comes_back(state: StateFolder) -> None:
    assert state.load(KEY, 2) == SHARD
    assert (state.count(), state.damaged) == (1, 0)
    assert only_file(state).name == f"{KEY}.shard.json"


def test_one_that_is_not_there_is_no_damage(state: StateFolder) -> None:
    assert state.load("cd" * 32, 2) is None
    assert state.damaged == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text[:0],
        lambda text: text[:0] + "[" * 100_000,
        lambda text: text.replace("1,", "3,", 1),
        lambda text: text.replace("a CPU", "another"),
        lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
        lambda text: json.dumps({**json.loads(text), "kind": "else"}),
        lambda text: json.dumps({**json.loads(text), "key": "cd" * 32}),
        lambda text: json.dumps({**json.loads(text), "rows": 3}),
        lambda text: text[:9] + "\udcff",
    ],
)
def test_a_damaged_one_is_not_taken(state: StateFolder, change: object) -> None:
    path = only_file(state)
    changed = change(path.read_text())  # type: ignore[operator]
    path.write_bytes(changed.encode(errors="surrogateescape"))
    assert state.load(KEY, 2) is None
    assert state.damaged == 1


def test_one_of_another_range_is_not_taken(state: StateFolder) -> None:
    assert state.load(KEY, 3) is None
    assert state.damaged == 1


def test_clearing_leaves_what_is_not_ours(state: StateFolder) -> None:
    (state.folder / "notes.txt").write_text("mine")
    state.clear()
    assert only_file(state).name == "notes.txt"
    (state.folder / "notes.txt").unlink()
    state.clear()
    assert not state.folder.exists()
    assert state.count() == 0
    state.clear()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="state: cannot be written"):
        StateFolder(tmp_path / "file" / "state").make()
