"""Which files beside an ONNX file hold a part of its weights, told from its bytes alone, without the onnx package.

A tensor with external data names its file by `location`, a path that is relative to the model's folder (onnx.proto,
TensorProto.external_data). Whoever wrote the file chose it, so a location that leads out of that folder is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from condmix.runtime.errors import ModelUnreadableError, describe_place

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64
_CHUNK_BYTES = 1 << 20
# What leads from a model to its tensors: message -> field number -> the message in it (onnx.proto3).
_WAYS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1
_KEY, _VALUE = 1, 2


class _DamagedError(ValueError):
    """No protobuf message. Never leaves this file."""


def external_locations(content: bytes) -> tuple[str, ...]:
    """The locations of all external tensors, each once, in their order; empty for what is no whole ONNX file."""
    try:
        return tuple(dict.fromkeys(_locations(memoryview(content), "model", 0)))
    except _DamagedError:
        return ()


def external_files(path: Path, content: bytes | None = None) -> dict[str, Path]:
    """Location -> the file there, of all that hold weights of the ONNX file at `path`. content: of that file.

    Raises ModelUnreadableError naming every location that is absolute, leads out of the folder of the model (by ..
    or by a symbolic link), or where there is no plain file.
    """
    if content is None:
        try:
            content = path.read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ModelUnreadableError(describe_place(path), reason, "Check the path and its permissions.") from error
    found: dict[str, Path] = {}
    problems = []
    for location in external_locations(content):
        problem = _problem(path.parent, location)
        if problem is None:
            found[location] = path.parent / location
        else:
            problems.append(f"it keeps weights in {location!r}: {problem}")
    if problems:
        next_step = "Put the files of its weights into its own folder, under the names that it knows."
        raise ModelUnreadableError(describe_place(path), "; ".join(problems), next_step)
    return found


def identity_with(content: bytes, files: dict[str, Path]) -> tuple[str, int]:
    """(SHA-256, bytes) of a model with its weights: of the files one behind the other, the model first.

    Without other files it is that of the model. Raises OSError.
    """
    digest, size_bytes = hashlib.sha256(content), len(content)
    for file in files.values():
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def _problem(folder: Path, location: str) -> str | None:
    parts = PurePosixPath(location.replace("\\", "/"))
    if not location or parts.is_absolute() or location[1:2] == ":":
        return "an absolute path" if location else "an empty path"
    if ".." in parts.parts:
        return "a path that leads out of its folder"
    if "\\" in location:
        return "a path that only Windows would read so"
    try:
        real = (folder / location).resolve(strict=True)
    except OSError:
        return "there is no such file beside it"
    if not real.is_relative_to(folder.resolve()):
        return "a link that leads out of its folder"
    return None if real.is_file() else "it is no file"


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise _DamagedError
    if kind == "tensor":
        yield from _location_of(message)
        return
    for number, value in _fields(message):
        inner = _WAYS[kind].get(number)
        if inner is not None and isinstance(value, memoryview):
            yield from _locations(value, inner, depth + 1)


def _location_of(tensor: memoryview) -> Iterator[str]:
    entries, external = [], False
    for number, value in _fields(tensor):
        if number == _DATA_LOCATION:
            external = value == _EXTERNAL
        elif number == _EXTERNAL_DATA and isinstance(value, memoryview):
            entries.append({key: bytes(text) for key, text in _fields(value) if isinstance(text, memoryview)})
    for entry in entries if external else ():
        if entry.get(_KEY) == b"location":
            yield entry.get(_VALUE, b"").decode("utf-8", "surrogateescape")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of every field; values of a fixed length are left out."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
        elif wire == _LENGTH:
            length, place = _varint(message, place)
            if length > end - place:
                raise _DamagedError
            yield number, message[place : place + length]
            place += length
        elif wire in (_FIXED32, _FIXED64):
            place += 4 if wire == _FIXED32 else 8
        else:
            raise _DamagedError


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise _DamagedError
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
