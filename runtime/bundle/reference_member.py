"""Reading the reference of a bundle: an .npz is a zip archive too, and may promise arrays of any length."""

from __future__ import annotations

import dataclasses
import math
import tokenize
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from condmix.runtime.bench.reference import Reference, read_reference
from condmix.runtime.bundle.limits import BundleLimits
from condmix.runtime.bundle.zip_form import ZIP_ERRORS, read_form
from condmix.runtime.errors import InvalidRecordError, one_line

MOST_ARRAYS = 64
_NO_RATIO = 10_000
# numpy reads a header as Python's parser does, and that is what a strange one makes it raise.
_HEADER_ERRORS = (SyntaxError, tokenize.TokenError, TypeError, KeyError, RecursionError, MemoryError)


def read_bounded_reference(path: Path, limits: BundleLimits) -> Reference:
    """The reference at `path`, which no more than `limits.reference_bytes` of memory was needed for.

    Raises InvalidRecordError naming the array that is wrong.
    """
    problems = _problems(path, limits)
    if problems:
        raise InvalidRecordError(problems, record=f"reference {path.name!r}")
    return read_reference(path)


def _problems(path: Path, limits: BundleLimits) -> list[str]:
    with path.open("rb") as stream:
        # Flat images shrink a thousand times, which is all that deflate can: the sum below is the limit.
        unlimited = dataclasses.replace(limits, ratio=_NO_RATIO)
        form = read_form(stream, unlimited, plain_names=False, most_members=MOST_ARRAYS)
        if form.problems:
            return [problem.sentence() for problem in form.problems]
        total = sum(member.file_size for member in form.members)
        if total > limits.reference_bytes:
            return [f"its arrays are said to have {total} bytes, {limits.reference_bytes} are allowed"]
        with zipfile.ZipFile(stream) as archive:
            found = [(member.filename, _array_problem(archive, member)) for member in form.members]
    return [f"array {name!r}: {text}" for name, text in found if text is not None]


def _array_problem(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    """Why numpy must not read that array; it makes room for what the header says before it looks for the content."""
    try:
        with archive.open(member) as stream:
            shape, dtype = _header(stream)
            header_bytes = stream.tell()
    except (OSError, *_HEADER_ERRORS, *ZIP_ERRORS) as error:
        return f"it cannot be read: {one_line(error)[:200]}"
    if dtype.hasobject:
        return "it has Python objects, expected numbers"
    promised = math.prod(shape) * dtype.itemsize
    there = member.file_size - header_bytes
    return None if promised == there else f"it is to have {promised} bytes, there are {there}"


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        text = f"its format is version {version}, expected (1, 0) or (2, 0)"
        raise ValueError(text)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if any(length < 0 for length in shape):
        text = f"its shape is {shape}"
        raise ValueError(text)
    return shape, dtype
