"""Which files go in together, and every reason why some do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.bundle.collect import collect
from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.runtime.bench.reference import Limit
from tests.deploy.bundle.conftest import Export, make_export, model_bytes, reference_bytes


def problems_of(paths: list[Path], **choices: object) -> list[str]:
    with pytest.raises(PlanError) as caught:
        collect(paths, **{"reference": None, "tolerance": None, **choices})  # type: ignore[arg-type]
    return list(caught.value.problems)


def test_a_folder_is_its_models_with_record_and_reference(export: Export) -> None:
    (export.folder / "net.pt").write_bytes(b"weights")
    (export.folder / "net.rejected.onnx").write_bytes(b"wrong")
    found = collect([export.folder], reference=None, tolerance=None)
    (one,) = found.artifacts
    assert (one.path, one.reference_path) == (export.model, export.reference)
    assert one.record is not None
    assert one.entry is not None
    assert one.limit == Limit(max_abs_difference=1e-4)
    assert found.notes == ("net.rejected.onnx was rejected by its export and is left out",)


def test_several_records_of_one_network_go_together(export: Export) -> None:
    make_export(export.folder, "net_int8")
    found = collect([export.model, export.folder], reference=None, tolerance=None)
    assert [one.path.name for one in found.artifacts] == ["net.onnx", "net_int8.onnx"]
    assert [record.path.name for record in found.records] == ["net.condmix.json", "net_int8.condmix.json"]
    assert [path.name for path in found.references] == ["net.reference.npz", "net_int8.reference.npz"]


def test_two_networks_do_not(export: Export) -> None:
    make_export(export.folder, "other", architecture="mixnet_digits", source={"file": "other.pt", "sha256": "cd" * 32})
    (problem,) = problems_of([export.folder])
    assert problem == (
        "the files are of 2 networks (net.condmix.json: condconv_digits, weights abababababab; other.condmix.json: "
        "mixnet_digits, weights cdcdcdcdcdcd): name the files of one"
    )


def test_what_is_not_there(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnreadableFileError) as caught:
        collect([tmp_path / "none.onnx", empty], reference=None, tolerance=None)
    assert "none.onnx: there is no such file or folder" in str(caught.value)
    assert "empty: there is no file in it that ends in .onnx or .tflite" in str(caught.value)


def test_what_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    with pytest.raises(UnreadableFileError):
        collect([path], reference=None, tolerance=None)


def test_a_rejected_file_that_is_named(export: Export) -> None:
    rejected = export.folder / "net.rejected.onnx"
    rejected.write_bytes(model_bytes())
    assert problems_of([rejected]) == [
        f"{rejected}: it was rejected by its export: it does not compute what PyTorch computes"
    ]


def test_a_record_that_says_it_did_not_pass(export: Export) -> None:
    export.change_record(lambda data: data["artifacts"][0].update(passed=False))  # type: ignore[index]
    assert problems_of([export.model]) == [f"{export.model}: its record says that it did not pass"]


def test_a_model_that_was_changed_after_its_export(export: Export) -> None:
    export.model.write_bytes(model_bytes()[:-1] + b"x")
    (problem,) = problems_of([export.model])
    assert "it is not the file that net.condmix.json was written with (its SHA-256 differs): export again" in problem


def test_a_reference_that_was_changed_or_is_gone(export: Export) -> None:
    export.reference.write_bytes(reference_bytes("net.onnx"))
    (problem,) = problems_of([export.model])
    assert "it is not the reference that net.condmix.json was written with" in problem
    export.reference.unlink()
    assert "cannot be read: No such file" in problems_of([export.model])[0]


def test_a_record_that_is_damaged(export: Export) -> None:
    export.record.write_text("{")
    assert "the record is not JSON" in problems_of([export.model])[0]
    export.record.write_text('{"kind": "something"}')
    assert "it is not the record of an export" in problems_of([export.model])[0]


def test_a_foreign_file_needs_a_reference(tmp_path: Path) -> None:
    foreign = tmp_path / "other.onnx"
    foreign.write_bytes(model_bytes())
    (problem,) = problems_of([foreign])
    assert problem.endswith("(other.reference.npz): export again, or give one with --reference")
    given = tmp_path / "given.npz"
    given.write_bytes(reference_bytes("other.onnx"))
    (one,) = collect([foreign], reference=given, tolerance=0.5).artifacts
    assert (one.record, one.reference_path, one.limit) == (None, given, Limit(max_abs_difference=0.5))
    (bare,) = collect([foreign], reference=given, tolerance=None).artifacts
    assert bare.limit is None


def test_flags_that_would_do_nothing(export: Export, tmp_path: Path) -> None:
    given = tmp_path / "given.npz"
    given.write_bytes(reference_bytes("net.onnx"))
    assert problems_of([export.model], reference=given, tolerance=0.5) == [
        f"--reference {given}: every file has a reference of its own beside it; leave it out",
        "--tolerance: the reference has a limit for every file; leave it out",
    ]


def test_a_damaged_reference_that_is_given(tmp_path: Path) -> None:
    foreign, given = tmp_path / "other.onnx", tmp_path / "given.npz"
    foreign.write_bytes(model_bytes())
    given.write_bytes(b"rubbish")
    assert any("given.npz" in problem for problem in problems_of([foreign], reference=given))


def test_names_that_collide_or_no_system_takes(export: Export, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    make_export(second)
    found = problems_of([export.model, second / "net.onnx"])
    assert found[0] == "two files would have the name net.onnx (net.onnx is there before): rename one"
    strange = make_export(second, "con")
    assert any("device on Windows" in problem for problem in problems_of([strange.model]))
