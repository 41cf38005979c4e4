"""A report on the disk: all files or none, and an older one is never lost."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from condmix.deploy.errors import OutputError, PlanError, UnreadableFileError
from condmix.deploy.report import write
from condmix.deploy.report.write import NAMES, write_report
from condmix.runtime.bench.report import BenchReport, read_report
from tests.deploy.report.synthetic import full_report, shortened

SHORT = shortened(full_report(), 3)


def _contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def test_all_files_are_there_and_the_json_gives_the_report_back(tmp_path: Path) -> None:
    written = write_report(SHORT, tmp_path / "new" / "folder", overwrite=False)
    assert written.html == tmp_path / "new" / "folder" / "report.html"
    assert tuple(path.name for path in written.paths) == NAMES
    assert set(_contents(tmp_path / "new" / "folder")) == set(NAMES)
    assert read_report(written.paths[2]) == SHORT


def test_the_same_report_gives_the_same_files(tmp_path: Path) -> None:
    write_report(SHORT, tmp_path / "one", overwrite=False)
    write_report(
        BenchReport.from_dict(json.loads((tmp_path / "one" / "report.json").read_text())),
        tmp_path / "two",
        overwrite=False,
    )
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_an_older_report_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("mine")
    with pytest.raises(PlanError, match=r"report\.md"):
        write_report(SHORT, tmp_path, overwrite=False)
    assert _contents(tmp_path) == {"report.md": b"mine"}
    write_report(SHORT, tmp_path, overwrite=True)
    assert set(_contents(tmp_path)) == set(NAMES)
    assert (tmp_path / "report.md").read_text() != "mine"


def test_a_failure_half_way_leaves_the_older_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(SHORT, tmp_path / "old", overwrite=False)
    before = _contents(tmp_path / "old")
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == "summary.csv" and self.name.endswith("partial"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    changed = full_report(created="later")
    for folder in ("old", "new"):
        with pytest.raises(OutputError, match="No space left"):
            write_report(changed, tmp_path / folder, overwrite=True)
    assert _contents(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_report(SHORT, tmp_path / "file" / "folder", overwrite=False)


def test_figures_that_json_has_no_name_for_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="not finite"):
        write_report(full_report(sections={"weather": math.nan}), tmp_path / "folder", overwrite=False)
    assert not (tmp_path / "folder").exists()


def test_names_and_texts_belong_together() -> None:
    texts = write.rendered(SHORT)
    assert texts["report.html"].startswith("<!DOCTYPE html>")
    assert texts["report.md"].startswith("**")
    assert texts["summary.csv"].startswith("subject,file")
