"""condmix eval as it is typed: the table, the files, every way to fail, and going on after an interruption."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.evaluate import executor as executor_module
from condmix.deploy.evaluate.executor import SerialExecutor
from condmix.deploy.evaluate.job import Failure, FailureKind, RangeOutcome, RangeTask
from condmix.deploy.exit_codes import ExitCode
from tests.deploy.conftest import Run, files_in
from tests.deploy.evaluate.conftest import CLASSES, WEIGHT, arrays_in, noisy, write_labelled, write_onnx, write_pictures


@pytest.fixture
def usual(files: tuple[Path, ...], labelled: Path, tmp_path: Path) -> list[object]:
    """All files on all images in this process, eight images a shard."""
    return ["eval", *files, "--labelled", labelled, "--scheduler", "serial", "--shard-size", 8, "-o", tmp_path / "out"]


def record_in(folder: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((folder / "eval.json").read_text())
    return record


def test_it_prints_a_table_and_writes_a_report(condmix: Run, usual: list[object], tmp_path: Path) -> None:
    ran = condmix(*usual)
    assert ran.code == ExitCode.OK, ran.err
    assert "top-1 %" in ran.out
    assert "50 images of labelled.npz, 6 classes" in ran.out
    assert "note: exact.tflite says nothing of preprocessing: it gets that of exact.onnx" in ran.out
    assert "21 shards of at most 8 images; serial, in one process" in ran.out
    assert files_in(tmp_path / "out") == {"eval.json", "eval.md", "images.csv"}
    record = record_in(tmp_path / "out")
    assert (record["schema_version"], record["kind"]) == (1, "condmix-evaluation")
    assert record["results_sha256"] in ran.out  # type: ignore[operator]
    page = (tmp_path / "out" / "eval.md").read_text()
    assert page.startswith("# Evaluation\n\n| file | size | top-1 % |")
    assert f"results sha256 {record['results_sha256']}" in page


def test_the_figures_are_those_counted_by_hand(
    condmix: Run, usual: list[object], labelled: Path, tmp_path: Path
) -> None:
    assert condmix(*usual).code == ExitCode.OK
    given = arrays_in(labelled)
    images, labels = given["images"].reshape(50, -1).astype(float), given["labels"]
    exact, rounded = images @ WEIGHT.T.astype(float), images @ noisy(0.2).T.astype(float)
    files = record_in(tmp_path / "out")["results"]["files"]  # type: ignore[index]
    assert files[0]["top"]["1"]["count"] == int((exact.argmax(axis=1) == labels).sum())
    assert files[2]["top"]["1"]["count"] == int((rounded.argmax(axis=1) == labels).sum())
    best = np.argsort(-rounded, axis=1)[:, :5]
    assert files[2]["top"]["5"]["count"] == int((best == labels[:, None]).any(axis=1).sum())
    compared = files[2]["comparison"]
    assert compared["agreement"]["count"] == int((exact.argmax(axis=1) == rounded.argmax(axis=1)).sum())
    assert compared["largest_difference"] == pytest.approx(np.abs(exact - rounded).max(), rel=1e-5)
    decibels = 10 * np.log10((exact**2).sum(axis=1) / ((exact - rounded) ** 2).sum(axis=1))
    assert compared["sqnr_db_median"] == pytest.approx(np.median(decibels), rel=1e-5)
    rows = list(csv.DictReader((tmp_path / "out" / "images.csv").read_text().splitlines()))
    assert [row["rounded answer"] for row in rows] == [CLASSES[place] for place in rounded.argmax(axis=1)]
    assert [row["class"] for row in rows] == [CLASSES[label] for label in labels]


def test_json_is_the_record_and_nothing_else(condmix: Run, usual: list[object], tmp_path: Path) -> None:
    ran = condmix(*usual, "--json", "--top", "3,1")
    assert json.loads(ran.out) == record_in(tmp_path / "out")
    assert list(json.loads(ran.out)["results"]["files"][0]["top"]) == ["1", "3"]


@pytest.mark.parametrize("more", [["--shard-size", "50"], ["--shard-size", "1"], ["--batch", "1"]])
def test_however_it_is_cut_the_result_is_the_same(
    condmix: Run, usual: list[object], tmp_path: Path, more: list[str]
) -> None:
    condmix(*usual)
    condmix(*usual, *more, "-o", tmp_path / "other")
    one, other = record_in(tmp_path / "out"), record_in(tmp_path / "other")
    assert json.dumps(one["results"]) == json.dumps(other["results"])
    assert (tmp_path / "out" / "images.csv").read_bytes() == (tmp_path / "other" / "images.csv").read_bytes()


def test_pictures_in_class_folders(condmix: Run, files: tuple[Path, ...], tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures")
    ran = condmix("eval", *files, "--labelled", folder, "--scheduler", "serial", "-o", tmp_path / "out")
    assert ran.code == ExitCode.OK, ran.err
    assert "24 images of pictures" in ran.out
    (folder / "eel" / "002.png").write_bytes(b"no picture")
    ran = condmix("eval", *files, "--labelled", folder, "--scheduler", "serial", "-o", tmp_path / "other")
    assert ran.code == ExitCode.INPUT
    assert "3 of 3 shards failed; the others are kept" in ran.err
    assert "images 0 to 23: eel/002.png: cannot identify image file" in ran.err
    assert f"Mend that and add --resume: finished shards lie in {tmp_path / 'other' / 'shards'}" in ran.err


class Stopping(SerialExecutor):
    """Ctrl-C after three ranges."""

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        for number, outcome in enumerate(super().outcomes(tasks)):
            if number == 3:
                raise KeyboardInterrupt
            yield outcome


def test_interrupted_it_keeps_what_is_done_and_goes_on(
    condmix: Run, usual: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    condmix(*usual, "-o", tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(executor_module, "SerialExecutor", Stopping)
        ran = condmix(*usual)
    assert ran.code == ExitCode.INTERRUPTED
    shards = tmp_path / "out" / "shards"
    assert f"interrupted after 9 of 21 shards, which are kept in {shards}; the same command with --resume" in ran.err
    assert len(files_in(shards)) == 9
    refused = condmix(*usual)
    assert refused.code == ExitCode.USAGE
    assert f"9 finished shards lie in {shards}: add --resume to take those that still fit" in refused.err
    ran = condmix(*usual, "--resume")
    assert ran.code == ExitCode.OK, ran.err
    assert "21 shards of at most 8 images, 9 of them from an earlier run" in ran.out
    assert files_in(tmp_path / "out") == {"eval.json", "eval.md", "images.csv"}
    assert record_in(tmp_path / "out")["results"] == record_in(tmp_path / "whole")["results"]


def test_interrupted_with_json_it_says_so_there(
    condmix: Run, usual: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "SerialExecutor", Stopping)
    ran = condmix(*usual, "--json")
    assert json.loads(ran.out)["exit_code"] == ExitCode.INTERRUPTED
    assert "--resume" in json.loads(ran.out)["error"]["message"]


def test_a_state_folder_serves_later_evaluations(condmix: Run, usual: list[object], tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert condmix(*usual, "--state", state).code == ExitCode.OK
    assert len(files_in(state)) == 21
    new = write_onnx(tmp_path / "new.onnx", noisy(0.5))
    usual.insert(4, new)
    ran = condmix(*usual, "--state", state, "--resume", "--overwrite")
    assert ran.code == ExitCode.OK, ran.err
    assert "28 shards of at most 8 images, 21 of them from an earlier run" in ran.out
    assert len(files_in(state)) == 28


def test_changed_files_and_images_are_measured_again(
    condmix: Run, usual: list[object], files: tuple[Path, ...], labelled: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    condmix(*usual, "--state", state)
    write_onnx(files[2], noisy(1.0))
    ran = condmix(*usual, "--state", state, "--resume", "--overwrite")
    assert "14 of them from an earlier run" in ran.out
    write_labelled(labelled, seed=8)
    ran = condmix(*usual, "--state", state, "--resume", "--overwrite")
    assert "from an earlier run" not in ran.out
    fresh = condmix(*usual, "-o", tmp_path / "fresh")
    assert fresh.code == ExitCode.OK
    assert record_in(tmp_path / "fresh")["results"] == record_in(tmp_path / "out")["results"]


class Losing(SerialExecutor):
    """A worker that dies on the second range."""

    def outcomes(self, tasks: Sequence[RangeTask]) -> Iterator[RangeOutcome]:
        for number, outcome in enumerate(super().outcomes(tasks)):
            failure = Failure(files=outcome.task.files, kind=FailureKind.WORKER, reason="its worker died each time")
            lost = RangeOutcome(task=outcome.task, rows={}, failures=(failure,), machine="")
            yield lost if number == 1 else outcome


def test_a_lost_range_is_named_and_the_rest_kept(
    condmix: Run, usual: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(executor_module, "SerialExecutor", Losing)
        ran = condmix(*usual)
    assert ran.code == ExitCode.MISSING
    assert "exact.onnx, exact.tflite, rounded, images 8 to 15: its worker died each time" in ran.err
    assert len(files_in(tmp_path / "out" / "shards")) == 18
    assert condmix(*usual, "--resume").code == ExitCode.OK


def test_scores_that_are_not_finite_end_with_exit_code_5(condmix: Run, labelled: Path, tmp_path: Path) -> None:
    broken = WEIGHT.copy()
    broken[3, 3] = np.nan
    given = [write_onnx(tmp_path / "a.onnx"), write_onnx(tmp_path / "broken.onnx", broken)]
    ran = condmix("eval", *given, "--labelled", labelled, "--scheduler", "serial", "-o", tmp_path / "out")
    assert ran.code == ExitCode.PARITY
    assert "scores are not finite: broken" in ran.err
    assert "broken: scores of 50 images are not finite; they count as wrong" in ran.out
    assert "nothing (scores not finite)" in (tmp_path / "out" / "eval.md").read_text()
    broken_file = record_in(tmp_path / "out")["results"]["files"][1]  # type: ignore[index]
    assert (broken_file["nonfinite_images"], broken_file["top"]["1"]["count"]) == (50, 0)


def test_everything_wrong_is_told_at_once(condmix: Run, files: tuple[Path, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "eval.md").write_text("mine")
    ran = condmix("eval", *files, "--labelled", tmp_path / "absent", "--scheduler", "serial", "--top", "6,1", "-o", out)
    assert ran.code == ExitCode.INPUT
    assert "the output exists" in ran.err
    assert "--top 6: the files tell 6 classes apart" in ran.err
    assert "found no such file or folder" in ran.err
    ran = condmix("eval", tmp_path / "absent.onnx", "--labelled", tmp_path / "absent", "-o", out)
    assert "absent.onnx" in ran.err
    assert "absent: there is no such file or folder of labelled images" in ran.err
    assert (out / "eval.md").read_text() == "mine"


@pytest.mark.parametrize("place", ["file/out", "out"])
def test_an_output_that_cannot_be_made_is_refused_before_anything_runs(
    condmix: Run, usual: list[object], tmp_path: Path, place: str
) -> None:
    (tmp_path / place.partition("/")[0]).write_text("")
    ran = condmix(*usual, "-o", tmp_path / place)
    assert ran.code == ExitCode.UNEXPECTED
    assert f"{tmp_path / place}: cannot be written" in ran.err


def test_a_state_that_is_a_file_is_refused(condmix: Run, usual: list[object], labelled: Path) -> None:
    ran = condmix(*usual, "--state", labelled)
    assert ran.code == ExitCode.USAGE
    assert "labelled.npz is a file: choose a folder with --state" in ran.err


def test_one_file_alone_is_compared_with_nothing(
    condmix: Run, files: tuple[Path, ...], labelled: Path, tmp_path: Path
) -> None:
    ran = condmix("eval", files[0], "--labelled", labelled, "--scheduler", "serial", "-o", tmp_path / "out")
    assert ran.code == ExitCode.OK
    assert "compared with" not in ran.out
    assert record_in(tmp_path / "out")["results"]["files"][0]["comparison"] is None  # type: ignore[index]
