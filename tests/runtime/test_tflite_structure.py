"""A TFLite file that does not hold together is told before an engine dies of it."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.tflite_structure import structure_problem
from tests.fuzz.samples import tflite


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return tflite(tmp_path_factory.mktemp("sound") / "sound.tflite")


def root(content: bytes) -> tuple[int, int]:
    """Where the outermost table and its vtable begin."""
    (start,) = struct.unpack_from("<I", content, 0)
    return start, start - struct.unpack_from("<i", content, start)[0]


def with_number(content: bytes, code: str, place: int, number: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(code, changed, place, number)
    return bytes(changed)


def field(content: bytes, number: int) -> int:
    """Where a field of the outermost table lies."""
    start, vtable = root(content)
    return int(start + struct.unpack_from("<H", content, vtable + 4 + 2 * number)[0])


def first_of(content: bytes, number: int) -> int:
    """Where the first table of a list begins."""
    place = field(content, number)
    first = place + struct.unpack_from("<I", content, place)[0] + 4
    return int(first + struct.unpack_from("<I", content, first)[0])


def test_a_sound_file_has_no_problem(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sound.tflite"
    path.write_bytes(sound)
    assert structure_problem(sound) is None
    assert structure_problem(path) is None


def test_a_file_without_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "empty.tflite"
    path.write_bytes(b"")
    assert structure_problem(path) == "it does not begin as a TFLite file does"


def test_the_weights_are_not_read(sound: bytes, tmp_path: Path) -> None:
    """A file of a gigabyte, nearly all of it a hole, is looked through at once and without its memory."""
    path = tmp_path / "large.tflite"
    path.write_bytes(sound)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert structure_problem(path) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "in kilobytes"


@pytest.mark.parametrize(("number", "name"), [(1, "codes"), (2, "graphs"), (4, "buffers")])
def test_what_the_engine_needs_is_there(sound: bytes, number: int, name: str) -> None:
    _, vtable = root(sound)
    damaged = with_number(sound, "<H", vtable + 4 + 2 * number, 0)
    assert structure_problem(damaged) == f"a model lacks its field {number}", name


def test_offsets_lie_within_the_file(sound: bytes) -> None:
    start, vtable = root(sound)
    beyond = f"something lies at byte {len(sound) + 1000}, the file has {len(sound)}"
    assert structure_problem(with_number(sound, "<I", 0, len(sound) + 1000)) == beyond
    assert structure_problem(with_number(sound, "<H", vtable + 4 + 2 * 2, 65_000)) == (
        "a field of a model lies outside of it"
    )
    assert structure_problem(with_number(sound, "<H", vtable, 65_000)) == "a model lies beyond the end"
    place = field(sound, 2)
    many = with_number(sound, "<I", place + struct.unpack_from("<I", sound, place)[0], 1 << 20)
    assert structure_problem(many) == "a list of a model lies beyond the end"
    for outside in (-4, len(sound) + 10):
        away = with_number(sound, "<i", start, start - outside)
        assert structure_problem(away) == f"something lies at byte {outside}, the file has {len(sound)}"


def test_a_model_without_a_graph(sound: bytes) -> None:
    place = field(sound, 2)
    none = with_number(sound, "<I", place + struct.unpack_from("<I", sound, place)[0], 0)
    assert structure_problem(none) == "it has no graph"


def test_numbers_of_tensors_and_buffers_exist(sound: bytes) -> None:
    graph = first_of(sound, 2)
    vtable = graph - struct.unpack_from("<i", sound, graph)[0]
    inputs = graph + struct.unpack_from("<H", sound, vtable + 4 + 2)[0]
    first = inputs + struct.unpack_from("<I", sound, inputs)[0] + 4
    assert "a tensor has the number 999, there are" in str(structure_problem(with_number(sound, "<i", first, 999)))
    buffers = field(sound, 4)
    fewer = with_number(sound, "<I", buffers + struct.unpack_from("<I", sound, buffers)[0], 1)
    assert "a tensor's buffer has the number" in str(structure_problem(fewer))


def test_other_files_are_told(sound: bytes) -> None:
    for other in (b"", b"TFL3", b"\0" * 64, sound[4:]):
        assert structure_problem(other) == "it does not begin as a TFLite file does"


@given(cut=st.integers(8, 400))
def test_a_file_that_is_cut_off_is_damaged(cut: int, sound: bytes) -> None:
    assert structure_problem(sound[: len(sound) - min(cut, len(sound) - 8)]) is not None


def test_the_engine_is_not_asked_about_a_damaged_file(sound: bytes) -> None:
    _, vtable = root(sound)
    damaged = with_number(sound, "<H", vtable + 4 + 2 * 4, 0)
    with pytest.raises(
        ModelUnreadableError, match=r"it is damaged: a model lacks its field 4\. Copy or export it again"
    ):
        LiteRtBackend().open(damaged, threads=1)
