"""Writing a bundle: whole, deterministic, only when every file is right."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from condmix.deploy.bundle.write import BundlePlan, write_bundle
from condmix.deploy.errors import OutputError, PlanError, UnreadableFileError
from condmix.deploy.sizes import file_size
from condmix.runtime.bench.reference import Limit, Reference, write_reference
from condmix.runtime.bundle.errors import DamagedBundleError
from condmix.runtime.bundle.reader import open_bundle
from condmix.runtime.bundle.verify import verify_bundle
from tests.deploy.bundle.conftest import CREATED_TEXT, IMAGES, Export, make_export
from tests.deploy.conftest import files_in
from tests.runtime.test_external_data import WEIGHT as APART
from tests.runtime.test_external_data import model_of

Changes = dict[str, Mapping[str, object]]


def test_a_bundle_holds_everything_once(export: Export, no_engine: Changes, tmp_path: Path) -> None:
    make_export(export.folder, "net_int8")
    outcome = write_bundle(BundlePlan(paths=(export.folder,), output=tmp_path / "b.zip"))
    assert no_engine == {}
    assert outcome.written
    with open_bundle(tmp_path / "b.zip") as bundle:
        bundle.check()
        assert (bundle.manifest, bundle.digest) == (outcome.manifest, outcome.digest)
        assert [(member.name, member.role) for member in bundle.manifest.members] == [
            ("MODEL_CARD.md", "card"),
            ("net.condmix.json", "record"),
            ("net.onnx", "artifact"),
            ("net.reference.npz", "reference"),
            ("net_int8.condmix.json", "record"),
            ("net_int8.onnx", "artifact"),
            ("net_int8.reference.npz", "reference"),
        ]
        assert bundle.manifest.network == "net"
        assert bundle.manifest.created == CREATED_TEXT
        assert bundle.manifest.artifacts[0].limit == Limit(max_abs_difference=1e-4)
        assert bundle.manifest.artifacts[1].reference == "net_int8.reference.npz"
    assert outcome.size_bytes == (tmp_path / "b.zip").stat().st_size


def test_weights_in_other_files_are_members_and_are_found_again(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(model_of("net.onnx.data"))
    (tmp_path / "net.onnx.data").write_bytes(APART.tobytes())
    right = Reference(inputs={"x": IMAGES}, outputs={"y": IMAGES @ APART}, outputs_are="numpy", limits={})
    write_reference(tmp_path / "net.reference.npz", right)
    outcome = write_bundle(BundlePlan(paths=(model,), output=tmp_path / "b.zip"))
    assert outcome.manifest is not None
    assert [(member.name, member.role) for member in outcome.manifest.members] == [
        ("MODEL_CARD.md", "card"),
        ("net.onnx", "artifact"),
        ("net.onnx.data", "weights"),
        ("net.reference.npz", "reference"),
    ]
    verified = verify_bundle(tmp_path / "b.zip")
    assert verified.passed
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        size = file_size(len(archive.read("net.onnx")) + APART.nbytes)
        assert size in archive.read("MODEL_CARD.md").decode()
        content = {name: archive.read(name) for name in archive.namelist()}
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data if name != "net.onnx.data" else bytes(len(data)))
    with pytest.raises(DamagedBundleError, match=r"net.onnx.data.*its SHA-256 is"):
        verify_bundle(folder)


@pytest.mark.parametrize(
    ("location", "error", "said"),
    [
        ("../out.bin", UnreadableFileError, "it keeps weights in '../out.bin': a path that leads out of its folder"),
        ("parts/w.bin", PlanError, "its weights lie in parts/w.bin, and a bundle has no folders: put them beside it"),
    ],
)
def test_weights_that_no_bundle_can_hold(tmp_path: Path, location: str, error: type[Exception], said: str) -> None:
    (tmp_path / "net/parts").mkdir(parents=True)
    (tmp_path / "net" / location).write_bytes(APART.tobytes())
    (tmp_path / "net/net.onnx").write_bytes(model_of(location))
    with pytest.raises(error, match=said):
        write_bundle(BundlePlan(paths=(tmp_path / "net/net.onnx",), output=tmp_path / "b.zip"))
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.usefixtures("no_engine")
def test_the_same_files_give_the_same_bytes(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = BundlePlan(paths=(export.folder,), output=tmp_path / "b.zip", overwrite=True)
    write_bundle(plan)
    first = (tmp_path / "b.zip").read_bytes()
    write_bundle(plan)
    assert (tmp_path / "b.zip").read_bytes() == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    outcome = write_bundle(plan)
    assert outcome.manifest is not None
    assert outcome.manifest.created == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(PlanError, match="expected seconds since 1970, found 'today'"):
        write_bundle(plan)
    assert files_in(tmp_path) == {"out", "b.zip"}


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("output", "expected"),
    [(None, "out/net.condmix.zip"), (".", "net.condmix.zip"), ("mine.zip", "mine.zip")],
)
def test_where_it_is_written(export: Export, tmp_path: Path, output: str | None, expected: str) -> None:
    plan = BundlePlan(paths=(export.model,), output=None if output is None else tmp_path / output)
    assert write_bundle(plan).path == tmp_path / expected
    assert (tmp_path / expected).is_file()


@pytest.mark.usefixtures("no_engine")
def test_names_that_are_no_bundle_and_files_in_the_way(export: Export, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"does not end in \.zip"):
        write_bundle(BundlePlan(paths=(export.model,), output=tmp_path / "net.tar"))
    (tmp_path / "b.zip").write_bytes(b"mine")
    with pytest.raises(PlanError, match="--overwrite"):
        write_bundle(BundlePlan(paths=(export.model,), output=tmp_path / "b.zip"))
    with pytest.raises(OutputError, match="mkdir -p"):
        write_bundle(BundlePlan(paths=(export.model,), output=tmp_path / "none" / "b.zip"))
    assert (tmp_path / "b.zip").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "change", [{"failure": "the worker process ended"}, {"agreement": None, "missing": "no engine"}]
)
def test_nothing_is_written_unless_all_pass(
    export: Export, no_engine: Changes, tmp_path: Path, change: Mapping[str, object]
) -> None:
    no_engine["net.onnx"] = change
    outcome = write_bundle(BundlePlan(paths=(export.model,), output=tmp_path / "b.zip"))
    assert not outcome.written
    assert outcome.to_dict()["written"] is False
    assert files_in(tmp_path) == {"out"}


@pytest.mark.usefixtures("no_engine")
def test_nobody_learns_where_the_files_lay(export: Export, tmp_path: Path) -> None:
    write_bundle(BundlePlan(paths=(export.model,), output=tmp_path / "b.zip"))
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        for name in ("MODEL_CARD.md", "manifest.json"):
            text = archive.read(name).decode()
            assert str(tmp_path) not in text
            assert "/home/somebody" not in text


@pytest.mark.usefixtures("no_engine")
def test_another_name(export: Export, tmp_path: Path) -> None:
    outcome = write_bundle(BundlePlan(paths=(export.model,), output=tmp_path, name="digits of mine"))
    assert outcome.path == tmp_path / "digits of mine.condmix.zip"


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("name", ["../up", "a/b", "two\nlines", "n" * 300])
def test_a_name_that_is_no_file_name(export: Export, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="give another --name"):
        write_bundle(BundlePlan(paths=(export.model,), output=tmp_path, name=name))
    assert files_in(tmp_path) == {"out"}
