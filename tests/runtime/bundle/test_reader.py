"""Every way in which a bundle can be damaged or tampered with is a named error with the member."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condmix.runtime.bundle.errors import (
    BundleError,
    DamagedBundleError,
    InvalidManifestError,
    NotABundleError,
    UnsafeBundleError,
)
from condmix.runtime.bundle.limits import BundleLimits
from condmix.runtime.bundle.manifest import MANIFEST_NAME
from condmix.runtime.bundle.reader import check_bundle, open_bundle
from tests.runtime.bundle.bundles import (
    contents,
    manifest_changed,
    manifest_of,
    member_of,
    patch_sizes,
    with_manifest,
    write_folder,
    write_zip,
)


def test_file_and_folder_hold_the_same(bundle_file: Path, bundle_folder: Path, members: dict[str, bytes]) -> None:
    digests = set()
    for path in (bundle_file, bundle_folder):
        with open_bundle(path) as bundle:
            bundle.check()
            digests.add(bundle.digest)
            for member in bundle.manifest.members:
                sink = io.BytesIO()
                assert bundle.copy(member, sink) is None
                assert sink.getvalue() == members[member.name]
    assert len(digests) == 1
    assert check_bundle(bundle_file) == manifest_of(contents())


def test_the_digest_is_asked_for(bundle_file: Path) -> None:
    with open_bundle(bundle_file) as bundle:
        digest = bundle.digest
    with open_bundle(bundle_file, digest=digest):
        pass
    with pytest.raises(DamagedBundleError, match="it is another bundle"), open_bundle(bundle_file, digest="0" * 64):
        pass


@pytest.mark.parametrize("name", ["net.onnx", "net.reference.npz", "net.condmix.json", "MODEL_CARD.md"])
@pytest.mark.parametrize("folder", [False, True])
def test_a_tampered_member_is_named(tmp_path: Path, members: dict[str, bytes], name: str, folder: bool) -> None:
    """Of the same size, in an archive whose own checksums are right."""
    changed = {**members, name: bytes([members[name][0] ^ 1]) + members[name][1:]}
    path = write_folder(tmp_path / "b", changed) if folder else write_zip(tmp_path / "b.zip", changed)
    with pytest.raises(DamagedBundleError) as caught:
        check_bundle(path)
    assert caught.value.members == (name,)
    assert "its SHA-256 is" in str(caught.value)


@pytest.mark.parametrize("folder", [False, True])
def test_missing_unknown_longer_and_wrong_case_all_at_once(
    tmp_path: Path, members: dict[str, bytes], folder: bool
) -> None:
    changed = {
        **members,
        "extra.sh": b"",
        "NET.reference.npz": members["net.reference.npz"],
        "net.onnx": b"longer" * 99,
    }
    del changed["net.reference.npz"], changed["MODEL_CARD.md"]
    path = write_folder(tmp_path / "b", changed) if folder else write_zip(tmp_path / "b.zip", changed)
    with pytest.raises(DamagedBundleError) as caught:
        check_bundle(path)
    assert [problem.sentence() for problem in caught.value.problems] == [
        "member 'NET.reference.npz': it is not in the manifest: it lists 'net.reference.npz', case counts",
        "member 'extra.sh': it is not in the manifest",
        "member 'MODEL_CARD.md': it is missing",
        "member 'net.onnx': it has 594 bytes, the manifest states 320",
        "member 'net.reference.npz': it is missing",
    ]


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError, match=r"there is no member 'manifest\.json': it is no bundle of condmix"):
        check_bundle(write_zip(tmp_path / "a.zip", contents()))


def test_a_manifest_of_the_wrong_case(tmp_path: Path, members: dict[str, bytes]) -> None:
    renamed = {"Manifest.JSON": members.pop(MANIFEST_NAME), **members}
    with pytest.raises(NotABundleError, match=r"there is 'Manifest\.JSON', but case counts"):
        check_bundle(write_zip(tmp_path / "a.zip", renamed))


def test_a_newer_schema(tmp_path: Path, members: dict[str, bytes]) -> None:
    members[MANIFEST_NAME] = manifest_changed(members[MANIFEST_NAME], schema_version=2, signature="...")
    with pytest.raises(InvalidManifestError, match="this condmix reads 1: update condmix"):
        check_bundle(write_zip(tmp_path / "a.zip", members))


def test_a_manifest_that_points_elsewhere(tmp_path: Path, members: dict[str, bytes]) -> None:
    manifest = json.loads(members[MANIFEST_NAME])
    manifest["members"][0]["name"] = "../../.ssh/authorized_keys"
    members[MANIFEST_NAME] = json.dumps(manifest).encode()
    with pytest.raises(InvalidManifestError, match="leads out of the bundle's folder"):
        check_bundle(write_zip(tmp_path / "a.zip", members))


def test_a_huge_manifest_is_not_read(tmp_path: Path, members: dict[str, bytes]) -> None:
    members[MANIFEST_NAME] += b" " * (1 << 20)
    path = write_zip(tmp_path / "a.zip", members, packed=False)
    with pytest.raises(UnsafeBundleError) as caught:
        check_bundle(path)
    assert caught.value.members == (MANIFEST_NAME,)
    assert "262144 are allowed" in str(caught.value)


def test_a_manifest_that_promises_too_much(tmp_path: Path) -> None:
    manifest = with_manifest(contents(b"a model " * 400))[MANIFEST_NAME]
    folder = write_folder(tmp_path / "b", {MANIFEST_NAME: manifest})
    with pytest.raises(UnsafeBundleError) as caught:
        check_bundle(folder, limits=BundleLimits(members=3, member_bytes=3000, total_bytes=10_000))
    assert "it lists 4 members, 3 are allowed" in str(caught.value)
    assert "member 'net.onnx': it is to have 3200 bytes, 3000 are allowed" in str(caught.value)


def test_a_bomb_that_hides_its_size(tmp_path: Path, members: dict[str, bytes]) -> None:
    """64 MB of zeros behind a directory that says 320 bytes: no more than those come out, and the member is named."""
    changed = {**members, "net.onnx": bytes(64 << 20)}
    path = write_zip(tmp_path / "a.zip", changed)
    patch_sizes(path, "net.onnx", unpacked=320)
    tracemalloc.start()
    with pytest.raises(DamagedBundleError) as caught:
        check_bundle(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.members == ("net.onnx",)
    assert peak_bytes < 4 << 20


def test_a_file_that_grows_while_it_is_read(bundle_folder: Path) -> None:
    with open_bundle(bundle_folder) as bundle:
        with (bundle_folder / "net.onnx").open("ab") as stream:
            stream.write(b"more")
        with pytest.raises(DamagedBundleError, match="it has more than the 320 bytes that the manifest states"):
            bundle.check()


def test_a_file_that_shrinks_or_goes(bundle_folder: Path) -> None:
    with open_bundle(bundle_folder) as bundle:
        (bundle_folder / "net.onnx").write_bytes(b"short")
        (bundle_folder / "MODEL_CARD.md").unlink()
        with pytest.raises(DamagedBundleError) as caught:
            bundle.check()
    assert caught.value.members == ("MODEL_CARD.md", "net.onnx")


def test_a_file_that_becomes_a_link_or_a_pipe(tmp_path: Path, bundle_folder: Path) -> None:
    copy = tmp_path / "the same bytes"
    copy.write_bytes((bundle_folder / "net.onnx").read_bytes())
    with open_bundle(bundle_folder) as bundle:
        (bundle_folder / "net.onnx").unlink()
        (bundle_folder / "net.onnx").symlink_to(copy)
        (bundle_folder / "MODEL_CARD.md").unlink()
        os.mkfifo(bundle_folder / "MODEL_CARD.md")
        with pytest.raises(DamagedBundleError) as caught:
            bundle.check()
    assert caught.value.members == ("MODEL_CARD.md", "net.onnx")


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_a_truncated_file(bundle_file: Path, cut: int) -> None:
    bundle_file.write_bytes(bundle_file.read_bytes()[:-cut])
    with pytest.raises(UnsafeBundleError, match="it is truncated"):
        check_bundle(bundle_file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_never_passes_unseen(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever it is: refused with a named error, or it is a bit that says nothing of the content."""
    good = write_zip(tmp_path / "good.zip", with_manifest(contents())).read_bytes()
    place = data.draw(st.integers(0, len(good) * 8 - 1))
    changed = bytearray(good)
    changed[place // 8] ^= 1 << (place % 8)
    path = tmp_path / "flipped.zip"
    path.write_bytes(changed)
    with contextlib.suppress(BundleError), open_bundle(path) as bundle:
        bundle.check()
        for member in bundle.manifest.members:
            sink = io.BytesIO()
            assert bundle.copy(member, sink) is None
            assert sink.getvalue() == contents()[member.name]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), begins=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06"]))
def test_no_rubbish_leads_to_another_error(tmp_path: Path, content: bytes, begins: bytes) -> None:
    path = tmp_path / "rubbish.zip"
    path.write_bytes(begins + content)
    with pytest.raises(BundleError):
        check_bundle(path)


def test_what_is_no_bundle_at_all(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(b"a model " * 40)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (tmp_path / "none.zip", "No such file"),
        (model, "neither a zip archive nor a folder"),
        (pipe, "no ordinary file"),
    ):
        with pytest.raises(NotABundleError, match=words):
            check_bundle(path)


def test_folders_hold_plain_files_only(tmp_path: Path, bundle_folder: Path, members: dict[str, bytes]) -> None:
    (bundle_folder / "inner").mkdir()
    (bundle_folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(bundle_folder / "pipe")
    (bundle_folder / "Net.onnx").write_bytes(b"")
    with pytest.raises(UnsafeBundleError) as caught:
        check_bundle(bundle_folder)
    assert [problem.sentence() for problem in caught.value.problems] == [
        "member 'inner': it is a folder: a bundle has none",
        "member 'link': it is a symbolic link",
        "member 'net.onnx': 'Net.onnx' differs by case only",
        "member 'pipe': it is no ordinary file",
    ]
    limits = BundleLimits(member_bytes=100, total_bytes=100)
    with pytest.raises(UnsafeBundleError, match="are allowed"):
        check_bundle(write_folder(tmp_path / "large", members), limits=limits)


def test_a_folder_of_very_many_files_is_not_listed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "many", {f"{number}": b"" for number in range(70)})
    with pytest.raises(UnsafeBundleError, match="it has more than 64 members"):
        check_bundle(folder)


def test_a_long_strange_name_is_shown_short(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"\x1b[31m" + "n" * 5000: b""})
    with pytest.raises(UnsafeBundleError) as caught:
        check_bundle(path)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_unreadable_member_is_named(bundle_file: Path) -> None:
    data = bytearray(bundle_file.read_bytes())
    place = data.find(b"net.onnx") + len(b"net.onnx") + 2
    data[place : place + 8] = b"\xff" * 8
    bundle_file.write_bytes(data)
    with pytest.raises(DamagedBundleError) as caught:
        check_bundle(bundle_file)
    assert "net.onnx" in caught.value.members


def test_member_problems_carry_no_content(tmp_path: Path) -> None:
    members = contents()
    manifest = manifest_of({**members, "more.json": b"{}"})
    assert member_of("more.json", "record", b"{}") in manifest.members
    with pytest.raises(DamagedBundleError, match=r"member 'more\.json': it is missing"):
        check_bundle(write_zip(tmp_path / "a.zip", with_manifest(members, manifest)))
