"""`condmix export --int8` as its user sees it: files, words, exit codes; nothing lost, nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from condmix.deploy.int8 import finish
from condmix.deploy.int8.guard import GuardResult
from condmix.exporters.verify.rounded import RoundedLimits
from tests.deploy.conftest import Run, files_in


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


def record_of(folder: Path, name: str = "net_int8.condmix.json") -> Mapping[str, object]:
    found = json.loads((folder / name).read_text())
    assert isinstance(found, dict)
    return found


def test_both_formats_with_their_proof(
    condmix: Run, int8_weights: Path, images_npy: Path, labelled_npz: Path, exported: Path
) -> None:
    ran = condmix(
        "export", int8_weights, "--format", "onnx,tflite", "--int8", "--calib", images_npy,
        "--evaluate", labelled_npz, "-o", exported,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    written = {f"net_int8.{suffix}" for suffix in ("onnx", "tflite", "condmix.json", "ranges.json", "reference.npz")}
    assert files_in(exported) == written
    for said in (
        "calib",
        "[ok] with the float network on 40 images",
        "of 40 labelled images",
        "multiply-adds run in int8",
    ):
        assert said in ran.out
    record = record_of(exported)
    assert record["kind"] == "condmix-int8-export"
    assert record["passed"] is True
    for artifact in record["artifacts"]:  # type: ignore[attr-defined]
        assert artifact["passed"] is True
        assert artifact["audit"]["int8_share"] > 0.5
        assert artifact["verification"]["agreement"][0]["sqnr_db_median"] > 15
        assert artifact["accuracy"]["accuracy"] >= 0.9
        assert len(artifact["routing_drift"]) == 4


def test_integers_at_both_ends(condmix: Run, int8_weights: Path, images_npy: Path, exported: Path) -> None:
    folder = exported / "ends"
    folder.mkdir()
    ran = condmix(
        "export", int8_weights, "--format", "onnx,tflite", "--int8", "--ranges", exported / "net_int8.ranges.json",
        "--calib", images_npy, "--io-dtype", "int8", "-o", folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    for artifact in record_of(folder)["artifacts"]:  # type: ignore[attr-defined]
        assert artifact["options"]["io_dtype"] == "int8"
        assert artifact["verification"]["agreement"][0]["sqnr_db_median"] > 15
        assert len(artifact["routing_drift"]) == 4


def test_ranges_of_an_earlier_run_serve_again_but_no_other_network(
    condmix: Run, int8_weights: Path, weights: Path, images_npy: Path, tmp_path: Path
) -> None:
    """Rounding looks at images, so it is left out on both sides."""
    first, again = tmp_path / "first.tflite", tmp_path / "again.tflite"
    shared = ("--format", "tflite", "--int8", "--improve", "bias", "--calib", images_npy)
    assert condmix("export", int8_weights, *shared, "-o", first).code == 0
    ran = condmix("export", int8_weights, *shared, "--ranges", tmp_path / "first.ranges.json", "-o", again)
    assert ran.code == 0, ran.err
    assert first.read_bytes() == again.read_bytes()
    assert not (tmp_path / "again.ranges.json").exists()
    other = tmp_path / "other"
    other.mkdir()
    ran = condmix("export", weights, *shared, "--ranges", tmp_path / "first.ranges.json", "-o", other)
    assert ran.code == 3
    assert "these ranges belong to another network" in ran.err
    assert files_in(other) == set()


def test_a_guard_that_cannot_hold_writes_no_file_under_the_name(
    condmix: Run,
    int8_weights: Path,
    images_npy: Path,
    labelled_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unmet(*_arguments: object, max_drop: float, **_named: object) -> tuple[GuardResult, frozenset[str]]:
        result = GuardResult(
            image_count=40, float_accuracy=1.0, first_accuracy=0.5, accuracy=0.5, max_drop=max_drop, put_back=()
        )
        return result, frozenset()

    monkeypatch.setattr(finish, "hold", unmet)
    ran = condmix(
        "export", int8_weights, "--format", "tflite", "--int8", "--calib", images_npy, "--evaluate", labelled_npz,
        "--max-drop", "0.01", "-o", tmp_path,
    )  # fmt: skip
    assert ran.code == 6
    assert (
        "accuracy drops by 50.00 points (100.00% to 50.00%) with 0 layers in float; --max-drop allows 1.00" in ran.err
    )
    assert "net_int8.tflite" not in files_in(tmp_path)
    assert "net_int8.rejected.tflite" in files_in(tmp_path)


def test_a_file_that_agrees_too_little_is_rejected(
    condmix: Run, int8_weights: Path, images_npy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven = finish.proven

    def strict(*arguments: object, **named: object) -> object:
        return proven(*arguments, **{**named, "limits": RoundedLimits(least_sqnr_db=90)})  # type: ignore[arg-type]

    monkeypatch.setattr("condmix.deploy.int8.pipeline.proven", strict)
    (tmp_path / "net_int8.tflite").write_bytes(b"old")
    ran = condmix(
        "export", int8_weights, "--format", "tflite", "--int8", "--calib", images_npy, "-o", tmp_path, "--overwrite"
    )
    assert ran.code == 5
    assert "the int8 TFLite file was rejected" in ran.err
    assert "expected at least 90 dB" in ran.err
    assert (tmp_path / "net_int8.tflite").read_bytes() == b"old"
    assert "net_int8.rejected.tflite" in files_in(tmp_path)
    assert record_of(tmp_path, "net_int8.rejected.condmix.json")["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--int8",), 2, "--int8 needs images to calibrate on"),
        (("--int8", "--calib", "absent"), 3, "no such file or folder"),
        (("--int8", "--calib", "random"), 2, "add --allow-random-calibration"),
        (("--calib", "images"), 2, "--calib is about int8 files: add --int8"),
        (("--int8", "--calib", "x", "--mixconv", "merged"), 2, "--mixconv is about float files"),
        (("--int8", "--calib", "x", "--calib-method", "entrpy"), 2, "did you mean 'entropy'?"),
    ],
)
def test_bad_input_is_told_and_nothing_written(
    condmix: Run, int8_weights: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = condmix("export", int8_weights, "-o", tmp_path, *arguments)
    assert (ran.code, files_in(tmp_path)) == (code, set())
    assert said in ran.err


def test_json_is_the_record(condmix: Run, int8_weights: Path, images_npy: Path, tmp_path: Path) -> None:
    ran = condmix(
        "export", int8_weights, "--format", "tflite", "--int8", "--int8-mode", "weights", "--calib", images_npy,
        "-o", tmp_path, "--json", "-q",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == record_of(tmp_path, "net_int8weights.condmix.json")
    assert json.loads(ran.out)["calibration"] is None
    assert files_in(tmp_path) == {f"net_int8weights.{suffix}" for suffix in ("tflite", "condmix.json", "reference.npz")}
