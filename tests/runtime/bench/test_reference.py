import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.reference import (
    Limit,
    Reference,
    find_reference,
    read_reference,
    reference_content,
    write_reference,
)
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError

IMAGES = np.arange(12, dtype=np.float32).reshape(3, 4)
REFERENCE = Reference(
    inputs={"image": IMAGES},
    outputs={"logits": 2 * IMAGES},
    outputs_are="PyTorch, float64",
    limits={"a.onnx": Limit(max_abs_difference=1e-4), "a.int8.onnx": Limit(top1_agreement=0.9, sqnr_db=20.0)},
)
ABOUT = {"schema_version": 1, "kind": "condmix-reference", "source": "PyTorch", "limits": {}}


def write(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name.replace("__", "/"): np.asarray(array) for name, array in arrays.items()})
    return path


def test_it_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "a.reference.npz"
    write_reference(path, REFERENCE)
    read = read_reference(path)
    np.testing.assert_array_equal(read.inputs["image"], IMAGES)
    np.testing.assert_array_equal(read.outputs["logits"], 2 * IMAGES)
    assert (read.outputs_are, read.limits, read.images) == ("PyTorch, float64", REFERENCE.limits, 3)
    assert path.read_bytes() == reference_content(REFERENCE)


def test_it_is_found_by_stem_and_by_the_files_it_names(tmp_path: Path):
    (tmp_path / "other.reference.npz").write_bytes(b"damaged")
    assert find_reference(tmp_path / "a.onnx") is None
    path = tmp_path / "a.reference.npz"
    write_reference(path, REFERENCE)
    assert find_reference(tmp_path / "a.onnx") == path
    assert find_reference(tmp_path / "a.int8.tflite") == path
    moved = path.rename(tmp_path / "z.reference.npz")
    assert find_reference(tmp_path / "a.onnx") == moved
    assert find_reference(tmp_path / "b.onnx") is None


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is not an .npz archive that numpy reads"),
        (b"PK\x03\x04 nothing", "it is not an .npz archive that numpy reads"),
        (reference_content(REFERENCE)[:-40], "it is not an .npz archive that numpy reads"),
        (flipped(reference_content(REFERENCE), 90), "it is not an .npz archive that numpy reads"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, expected: str):
    path = tmp_path / "a.reference.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidRecordError, match=f"reference 'a.reference.npz' record:\n  - {expected}"):
        read_reference(path)


def test_a_missing_one_is_named(tmp_path: Path):
    with pytest.raises(InvalidRecordError, match="No such file or directory"):
        read_reference(tmp_path / "a.reference.npz")


def test_nothing_is_unpickled(tmp_path: Path):
    path = tmp_path / "a.npz"
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InvalidRecordError, match="Object arrays cannot be loaded when allow_pickle=False"):
        read_reference(path)


def test_a_single_array_is_no_reference(tmp_path: Path):
    np.save(tmp_path / "a.npy", IMAGES)
    with pytest.raises(InvalidRecordError, match=r"it is one array, expected an \.npz archive"):
        read_reference(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"about": {**ABOUT, "schema_version": 2}}, "'schema_version' is 2, this condmix reads 1"),
        ({"about": {**ABOUT, "kind": "x"}}, "'kind' must be 'condmix-reference', found 'x'"),
        ({"about": {**ABOUT, "limits": {"a": {"maximum": 1}}}}, "unknown name 'maximum'"),
        ({"about": {**ABOUT, "limits": {"a": {}}}}, "no figure is given: everything would pass"),
        ({"about": None}, "there is no array 'about'"),
        ({"more": IMAGES}, "unknown array 'more'"),
        ({"input__image": None}, "inputs is empty"),
        ({"output__logits": IMAGES[:2]}, "all must have the same number of images, at least one: input/image has 3"),
        ({"output__logits": IMAGES + np.float32(np.inf)}, "output/logits has values that are not finite"),
        ({"input__image": np.array(["a", "b", "c"])}, "input/image has dtype <U1, expected numbers"),
        ({"input__image": np.float32(1)}, "input/image has no axis of images"),
    ],
)
def test_arrays_that_do_not_belong_together(tmp_path: Path, change: dict[str, object], expected: str):
    arrays: dict[str, object] = {"about": ABOUT, "input__image": IMAGES, "output__logits": IMAGES, **change}
    if arrays["about"] is not None:
        arrays["about"] = json.dumps(arrays["about"])
    path = write(tmp_path / "a.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises((InvalidRecordError, InvalidSettingError)) as caught:
        read_reference(path)
    assert expected in str(caught.value)


def test_an_about_that_is_no_json(tmp_path: Path):
    path = write(tmp_path / "a.npz", about="{", input__image=IMAGES, output__logits=IMAGES)
    with pytest.raises(InvalidRecordError, match="'about' is not JSON"):
        read_reference(path)


def test_a_stranger_in_the_archive(tmp_path: Path):
    path = tmp_path / "a.npz"
    path.write_bytes(reference_content(REFERENCE))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(InvalidRecordError, match=r"unknown array 'notes\.txt'"):
        read_reference(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max_abs_difference": -1.0}, "max_abs_difference must be at least 0"),
        ({"top1_agreement": 1.5}, "top1_agreement must be above 0 and at most 1"),
        ({"sqnr_db": float("nan")}, "sqnr_db must be finite"),
    ],
)
def test_impossible_limits(change: dict[str, float], expected: str):
    with pytest.raises(InvalidSettingError, match=expected):
        Limit(**change)


def test_an_array_header_that_numpy_reads_as_python_is_damage_too(tmp_path: Path):
    header = b"{'descr': (\n"
    path = tmp_path / "a.reference.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input/x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InvalidRecordError, match=r"a\.reference\.npz"):
        read_reference(path)


def test_what_outputs_are_is_kept_and_what_is_no_kind_is_not(tmp_path: Path):
    path = tmp_path / "a.reference.npz"
    write_reference(path, dataclasses.replace(REFERENCE, kinds={"logits": "labels", "other": "nonsense"}))
    assert read_reference(path).kinds == {"logits": "labels"}
    write_reference(path, REFERENCE)
    assert read_reference(path).kinds == {}
    with np.load(path) as arrays:
        assert "output_kinds" not in str(arrays["about"])
