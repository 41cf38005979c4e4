"""A reference is an archive in an archive: what it promises is checked before numpy makes room for it."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.bench.reference import reference_content
from condmix.runtime.bundle.limits import LIMITS, BundleLimits
from condmix.runtime.bundle.reference_member import read_bounded_reference
from condmix.runtime.errors import InvalidRecordError
from tests.runtime.bundle.bundles import some_reference


def rewritten(path: Path, changes: dict[str, bytes]) -> Path:
    """A reference, some arrays of which are other bytes."""
    with zipfile.ZipFile(io.BytesIO(reference_content(some_reference()))) as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, changes.pop(name, good.read(name)), zipfile.ZIP_DEFLATED)
        for name, content in changes.items():
            bad.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def test_a_good_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    path.write_bytes(reference_content(some_reference()))
    found = read_bounded_reference(path, LIMITS)
    assert np.array_equal(found.inputs["x"], np.ones((3, 4), np.float32))


def test_flat_images_are_no_bomb(tmp_path: Path) -> None:
    """They shrink a thousand times and are within the limit of size."""
    flat = np.zeros((8, 3, 300, 300), np.float32)
    reference = type(some_reference())(
        inputs={"x": flat}, outputs={"y": np.ones((8, 2), np.float32)}, outputs_are="-", limits={}
    )
    path = tmp_path / "r.npz"
    path.write_bytes(reference_content(reference))
    assert path.stat().st_size * 200 < flat.nbytes
    assert read_bounded_reference(path, LIMITS).images == 8
    with pytest.raises(InvalidRecordError, match=r"are said to have .* bytes, 1048576 are allowed"):
        read_bounded_reference(path, BundleLimits(reference_bytes=1 << 20))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 4)}"), "16000000000 bytes, there are 0"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}"), "its shape is (-3, 4)"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"), "Python objects"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", version=b"\x07\x00"), "it cannot be read"),
        (npy("__import__('os').system('true')"), "it cannot be read"),
        (npy("(" * 5000), "it cannot be read"),
        (b"not an array", "it cannot be read"),
        (b"", "it cannot be read"),
    ],
)
def test_arrays_that_promise_what_is_not_there(tmp_path: Path, content: bytes, words: str) -> None:
    path = rewritten(tmp_path / "r.npz", {"input/x.npy": content})
    tracemalloc.start()
    with pytest.raises(InvalidRecordError) as caught:
        read_bounded_reference(path, LIMITS)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "array 'input/x.npy'" in str(caught.value)
    assert words in str(caught.value)
    assert peak_bytes < 16 << 20


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    path.write_bytes(b"rubbish")
    with pytest.raises(InvalidRecordError, match="it is truncated"):
        read_bounded_reference(path, LIMITS)


def test_an_array_nobody_asked_for(tmp_path: Path) -> None:
    extra = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\0" * 4)
    with pytest.raises(InvalidRecordError, match="unknown array 'extra'"):
        read_bounded_reference(rewritten(tmp_path / "r.npz", {"extra.npy": extra}), LIMITS)
