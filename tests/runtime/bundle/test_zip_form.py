"""Archives that zipfile would read and a bundle must not: each is refused by name, before any content is read."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from condmix.runtime.bundle.limits import LIMITS, BundleLimits
from condmix.runtime.bundle.zip_form import ZipForm, looks_like_zip, read_form
from tests.runtime.bundle.bundles import patch_sizes, write_zip

END_BYTES = 22


def form_of(path: Path, limits: BundleLimits = LIMITS) -> ZipForm:
    with path.open("rb") as stream:
        return read_form(stream, limits)


def sentences(path: Path, limits: BundleLimits = LIMITS) -> list[str]:
    return [problem.sentence() for problem in form_of(path, limits).problems]


def info(name: str, *, mode: int | None = None) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = 0 if mode is None else mode << 16
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "a.zip", {"a.txt": b"first" * 100, "b.txt": b"second" * 100})


def test_a_plain_archive_has_no_problems(archive: Path) -> None:
    form = form_of(archive)
    assert form.problems == ()
    assert [member.filename for member in form.members] == ["a.txt", "b.txt"]


def test_an_archive_written_as_a_stream_has_none_either(tmp_path: Path) -> None:
    """Its sizes come behind each member, as other programs write them."""

    class Unseekable:
        def __init__(self, path: Path) -> None:
            self.stream = path.open("wb")

        def write(self, data: bytes) -> int:
            return self.stream.write(data)

        def flush(self) -> None:
            self.stream.flush()

    path = tmp_path / "streamed.zip"
    target = Unseekable(path)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:  # type: ignore[call-overload]
        made.writestr("a.txt", b"first" * 100)
        made.writestr("b.txt", b"second" * 100)
    target.stream.close()
    assert sentences(path) == []
    assert all(member.flag_bits & 0x8 for member in form_of(path).members)


@pytest.mark.parametrize("cut", [1, 10, 21, 22, 60, 150])
def test_a_truncated_archive(archive: Path, cut: int) -> None:
    archive.write_bytes(archive.read_bytes()[:-cut])
    assert sentences(archive) == [
        "it does not end with its directory: it is truncated, or there is other data behind it"
    ]


def test_hardly_anything_left(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:20])
    assert sentences(archive) == ["it ends after 20 bytes: it is truncated"]


@pytest.mark.parametrize("added", [b"\0", b"more" * 1000])
def test_trailing_data(archive: Path, added: bytes) -> None:
    archive.write_bytes(archive.read_bytes() + added)
    assert "there is other data behind it" in sentences(archive)[0]


def test_a_comment_is_other_data_too(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = b"hidden"
    assert "there is other data behind it" in sentences(archive)[0]


def test_leading_data(archive: Path) -> None:
    archive.write_bytes(b"#!/bin/sh\n" + archive.read_bytes())
    assert "there is other data before or behind it" in sentences(archive)[0]


def test_data_between_members(tmp_path: Path, archive: Path) -> None:
    data = archive.read_bytes()
    second = data.find(b"PK\x03\x04", 4)
    directory = data.find(b"PK\x01\x02")
    changed = bytearray(data[:second] + b"hidden" + data[second:])
    entry = changed.find(b"PK\x01\x02", changed.find(b"PK\x01\x02") + 4)
    struct.pack_into("<L", changed, entry + 42, second + 6)
    struct.pack_into("<L", changed, len(changed) - 6, directory + 6)
    path = tmp_path / "gap.zip"
    path.write_bytes(changed)
    with zipfile.ZipFile(path) as opened:  # zipfile finds nothing wrong with it
        assert opened.testzip() is None
    assert sentences(path) == ["member 'b.txt': there are 6 bytes before it"]


def test_members_that_share_their_bytes(tmp_path: Path, archive: Path) -> None:
    """How a small archive unpacks to a very large one without any ratio that is suspicious."""
    data = bytearray(archive.read_bytes())
    entry = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 4)
    struct.pack_into("<L", data, entry + 42, 0)
    path = tmp_path / "overlap.zip"
    path.write_bytes(data)
    assert "member 'b.txt': its bytes are also those of another member" in sentences(path)


def test_a_member_that_is_not_where_the_directory_says(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    struct.pack_into("<L", data, data.find(b"PK\x01\x02") + 42, 7)
    archive.write_bytes(data)
    assert "does not begin where the directory says" in sentences(archive)[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../a.txt", "leads out of the bundle's folder"),
        ("x/../../a.txt", "leads out of the bundle's folder"),
        ("/etc/cron.d/a", "absolute path"),
        ("C:\\a.txt", "absolute path"),
        ("a\\..\\..\\b", "leads out"),
        ("folder/a.txt", "has / in it"),
        ("folder/", "has / in it"),
    ],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, words: str) -> None:
    found = sentences(write_zip(tmp_path / "a.zip", [("a.txt", b"x"), (name, b"x")]))
    assert len(found) == 1
    assert words in found[0]
    assert repr(name) in found[0]


def test_a_name_that_zipfile_cuts_short(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a.txtX../../b", b"x")])
    path.write_bytes(path.read_bytes().replace(b"a.txtX", b"a.txt\0"))
    assert sentences(path) != []


def test_doubled_names(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write_zip(tmp_path / "a.zip", [("a.txt", b"x"), ("a.txt", b"y"), ("A.TXT", b"z")])
    assert sentences(path) == [
        "member 'a.txt': it is there twice",
        "member 'A.TXT': 'a.txt' differs by case only",
    ]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (stat.S_IFLNK | 0o777, "symbolic link"),
        (stat.S_IFIFO | 0o644, "no ordinary file"),
        (stat.S_IFDIR | 0o755, "no ordinary file"),
        (stat.S_IFCHR | 0o644, "no ordinary file"),
    ],
)
def test_links_and_devices(tmp_path: Path, mode: int, words: str) -> None:
    path = write_zip(tmp_path / "a.zip", [(info("a.txt", mode=mode), b"/etc/passwd")])
    assert words in sentences(path)[0]


def test_encrypted_members(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert sentences(archive) == ["member 'a.txt': it is encrypted"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.txt", b"x" * 100)
    assert sentences(path) == [f"member 'a.txt': it is packed by method {method}, expected stored or deflated"]


def test_a_bomb_that_says_so(tmp_path: Path) -> None:
    """20 MB of zeros in 20 kB, within every size limit."""
    path = write_zip(tmp_path / "a.zip", {"bomb": bytes(20 << 20)})
    assert path.stat().st_size < 30_000
    (sentence,) = sentences(path)
    assert sentence.startswith("member 'bomb': it says it unpacks to 1")
    assert sentence.endswith("times its size, 200 times are allowed")


def test_a_member_that_says_it_is_too_large(archive: Path) -> None:
    patch_sizes(archive, "a.txt", unpacked=0xF0000000)
    assert any("4026531840 bytes, 1073741824 are allowed" in sentence for sentence in sentences(archive))


def test_members_that_are_too_large_together(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": bytes(600), "b": bytes(600)}, packed=False)
    limits = BundleLimits(member_bytes=1000, total_bytes=1000)
    assert sentences(path, limits) == ["it says it unpacks to 1200 bytes, 1000 are allowed"]


def test_too_many_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{number}.txt": b"" for number in range(66)})
    assert "its directory is of 66 members" in sentences(path)[0]
    assert "65 members are allowed" in sentences(path)[0]


def test_a_directory_of_any_length_is_not_read(tmp_path: Path) -> None:
    """A million entries would be half a gigabyte of objects in zipfile."""
    path = tmp_path / "a.zip"
    entries = b"PK\x01\x02" + bytes(42)
    path.write_bytes(entries * 100_000 + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 4_600_000, 0, 0))
    tracemalloc.start()
    found = sentences(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["its directory is of 1 members in 4600000 bytes, 65 members are allowed"]
    assert peak_bytes < 1 << 20


def test_a_damaged_directory(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[data.find(b"PK\x01\x02")] = 0
    archive.write_bytes(data)
    assert sentences(archive)[0].startswith("its directory cannot be read")


def test_a_part_of_several_files(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[-END_BYTES + 4] = 1
    archive.write_bytes(data)
    assert sentences(archive) == ["it is a part of an archive in several files"]


@pytest.mark.parametrize(
    ("content", "is_zip"), [(b"", False), (b"PK", False), (b"PK\x03\x04", True), (b"ONNX" * 9, False)]
)
def test_what_looks_like_a_zip(tmp_path: Path, content: bytes, is_zip: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with path.open("rb") as stream:
        assert looks_like_zip(stream) is is_zip
