"""An ONNX file on the disk: read whole, external data only from its own folder, every tensor as large as it says.

Nothing in a file is run and nothing is written. What is wrong is told all at once, with the reason codes of
docs/refusals.md.
"""

from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from condmix.exporters.errors import OnnxInputError

MOST_BYTES = 1_900_000_000
"""Of the file with its external data: one protobuf message holds 2 GiB, and a little room is needed."""
MOST_NODES = 100_000

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes: name it .pt, or unpack it"),
    (b"\x80", "a pickle: name it .pt if torch.save wrote it"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file with git lfs pull"),
    (b"<", "a web page or XML, probably of a failed download"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
)


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A file's content, with external data taken in."""

    path: Path
    proto: onnx.ModelProto
    sha256: str
    """Of the .onnx file itself."""
    size_bytes: int
    external: tuple[str, ...]
    """Names of the files beside it that held weights."""


def read_file(path: Path) -> OnnxFile:
    """The ONNX file at `path`. Raises OnnxInputError for what is no whole ONNX file or reaches outside its folder."""
    content = _content(path)
    place = str(path)
    try:
        proto = onnx.load_model_from_string(content)
    except DecodeError:
        raise _refused(place, "ONNX_DAMAGED", _not_onnx(content)) from None
    if not proto.graph.node or not proto.opset_import:
        raise _refused(place, "ONNX_DAMAGED", _not_onnx(content))
    if len(proto.graph.node) > MOST_NODES:
        raise _refused(place, "ONNX_TOO_LARGE", f"it has {len(proto.graph.node)} nodes: at most {MOST_NODES} are read")
    if not _is_text(proto):
        raise _refused(place, "ONNX_DAMAGED", "a name in it is no text (UTF-8): copy it again, or export it again")
    external = _take_in_external(path, proto, len(content))
    problems = [problem for tensor in stored_tensors(proto.graph) if (problem := _tensor_problem(tensor)) is not None]
    if problems:
        raise OnnxInputError(place, tuple(("ONNX_DAMAGED", problem) for problem in problems[:10]))
    return OnnxFile(
        path=path,
        proto=proto,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        external=external,
    )


def _is_text(proto: onnx.ModelProto) -> bool:
    """Whether all names are text; protobuf hands out bytes, or raises, where they are not."""
    try:
        return all(isinstance(name, str) for name in _names(proto))
    except UnicodeDecodeError:
        return False


def _names(proto: onnx.ModelProto) -> Iterator[object]:
    for entry in (*proto.metadata_props, *proto.opset_import):
        yield entry.key if isinstance(entry, onnx.StringStringEntryProto) else entry.domain
        yield getattr(entry, "value", "")
    for function in proto.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        for node in function.node:
            yield from _names_of_node(node)
    yield from _names_of_graph(proto.graph)


def _names_of_graph(graph: onnx.GraphProto) -> Iterator[object]:
    yield graph.name
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for node in graph.node:
        yield from _names_of_node(node)
    for tensor in graph.initializer:
        yield tensor.name
        yield from (item for entry in tensor.external_data for item in (entry.key, entry.value))


def _names_of_node(node: onnx.NodeProto) -> Iterator[object]:
    yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
    yield from (item for entry in node.metadata_props for item in (entry.key, entry.value))
    for attribute in node.attribute:
        yield attribute.name
        for subgraph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            yield from _names_of_graph(subgraph)


def stored_tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Every tensor that a graph and its subgraphs store."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
            for subgraph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from stored_tensors(subgraph)


def _content(path: Path) -> bytes:
    place = str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode) or not stat.S_ISREG(status.st_mode):
            raise _refused(place, "ONNX_UNREADABLE", "it is a folder, a device or a pipe: give the .onnx file itself")
        if status.st_size > MOST_BYTES:
            raise _refused(place, "ONNX_TOO_LARGE", _too_large(status.st_size))
        return path.read_bytes()
    except FileNotFoundError:
        raise _refused(place, "ONNX_UNREADABLE", "there is no such file: check the path") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, OnnxInputError):
            raise
        raise _refused(place, "ONNX_UNREADABLE", f"it cannot be read ({reason}): check its permissions") from None


def _not_onnx(content: bytes) -> str:
    if not content:
        return "it is empty (0 bytes): copy or export it again"
    for magic, what in _FOREIGN:
        if content.lstrip().startswith(magic):
            return f"it is not an ONNX file but {what}"
    if content[4:8] == b"TFL3":
        return "it is a TFLite file, not an ONNX file: give the network that it was made from"
    return f"it is not a whole ONNX file ({len(content)} bytes): copy it again, or export it again"


def _too_large(size_bytes: int) -> str:
    return f"it takes {size_bytes / 1e9:.1f} GB: at most {MOST_BYTES / 1e9:.1f} GB are read, weights included"


def _take_in_external(path: Path, proto: onnx.ModelProto, size_bytes: int) -> tuple[str, ...]:
    """External tensors hold their data themselves now. Only plain files within the folder are opened."""
    tensors = [item for item in stored_tensors(proto.graph) if item.data_location == TensorProto.EXTERNAL]
    folder = path.parent.resolve()
    problems: list[tuple[str, str]] = []
    files: dict[str, Path] = {}
    for tensor in tensors:
        location = _entry(tensor, "location")
        if location in files:
            continue
        found = _within(folder, location)
        if isinstance(found, str):
            problems.append(("ONNX_EXTERNAL_DATA", f"tensor '{tensor.name}': {found}"))
        else:
            files[location] = found
    total = size_bytes + sum(_expected_bytes(tensor) or 0 for tensor in tensors)
    if total > MOST_BYTES:
        problems.append(("ONNX_TOO_LARGE", _too_large(total)))
    if not problems:
        for tensor in tensors:
            problem = _load(tensor, files[_entry(tensor, "location")])
            if problem is not None:
                problems.append(("ONNX_EXTERNAL_DATA", problem))
    if problems:
        raise OnnxInputError(str(path), tuple(problems[:10]))
    return tuple(sorted(files))


def _within(folder: Path, location: str) -> Path | str:
    """The plain file that a tensor names, or why it is not opened."""
    if not location or "\0" in location:
        return "it names no file for its data"
    try:
        target = (folder / location).resolve()
        if not target.is_relative_to(folder):
            return f"its data lies in {location!r}, outside the folder of the file: put both into one folder"
        if not target.is_file():
            return f"its data file {location!r} is not there: copy it beside the .onnx file"
    except (OSError, ValueError) as error:
        return f"its data file {location!r} cannot be opened: {error}"
    return target


def _load(tensor: TensorProto, file: Path) -> str | None:
    """The tensor holds its own data; or a sentence on what is wrong."""
    wanted = _expected_bytes(tensor)
    try:
        offset, length = int(_entry(tensor, "offset") or 0), int(_entry(tensor, "length") or wanted or 0)
    except ValueError:
        return f"tensor '{tensor.name}': its offset or length in {file.name} is no number"
    if wanted is None or length != wanted or offset < 0:
        return f"tensor '{tensor.name}': it needs {wanted} bytes, its entry names {length} at {offset} of {file.name}"
    with file.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    if len(data) != length:
        return f"tensor '{tensor.name}': {file.name} ends before its {length} bytes at {offset}: copy it again"
    tensor.raw_data = data
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
    return None


def _entry(tensor: TensorProto, key: str) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == key), "")


def _elements(dims: Iterable[int]) -> int | None:
    numbers = list(dims)
    return None if any(number < 0 for number in numbers) else math.prod(numbers)


def _bits(data_type: int) -> int | None:
    """Bits of one stored element; None for texts and what is not known."""
    if data_type == TensorProto.STRING:
        return None
    try:
        name = TensorProto.DataType.Name(data_type)
        if name.endswith(("INT4", "FLOAT4E2M1")):
            return 4
        return 2 if name.endswith("INT2") else 8 * int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize)
    except (KeyError, ValueError, TypeError):
        return None


def _expected_bytes(tensor: TensorProto) -> int | None:
    elements, bits = _elements(tensor.dims), _bits(tensor.data_type)
    return None if elements is None or bits is None else (elements * bits + 7) // 8


def _tensor_problem(tensor: TensorProto) -> str | None:
    """A declared shape that the stored data does not have: reading on would allocate what the file claims."""
    name = tensor.name or "a constant"
    if _elements(tensor.dims) is None:
        return f"tensor '{name}' has a negative length in its shape {list(tensor.dims)}"
    if tensor.data_type == TensorProto.STRING:
        return None
    expected = _expected_bytes(tensor)
    if expected is None:
        return f"tensor '{name}' has an unknown element type ({tensor.data_type})"
    if tensor.HasField("raw_data"):
        held, unit, wanted = len(tensor.raw_data), "bytes", expected
    else:
        elements = _elements(tensor.dims) or 0
        fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
        held, unit = sum(len(field) for field in fields), "numbers"
        # Small elements are packed into integers, complex ones take two numbers.
        wanted = held if _bits(tensor.data_type) not in (8, 16, 32, 64) or held == 2 * elements else elements
    if held != wanted:
        return f"tensor '{name}' of shape {list(tensor.dims)} needs {wanted} {unit}, the file holds {held}"
    return None


def _refused(place: str, code: str, problem: str) -> OnnxInputError:
    return OnnxInputError(place, ((code, problem),))
