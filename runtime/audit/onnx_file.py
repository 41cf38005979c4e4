"""Reading an ONNX file into plain data: nodes of all its graphs in one list, and its constants without their values.

The `onnx` package is imported when a file is read, never with this module.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from condmix.runtime.errors import EngineMissingError, ModelUnreadableError, describe_place, one_line

PACKAGE = "onnx"
EXTRA = "export"
SMALL_BYTES = 1 << 16
"""Constants up to this size are told apart by their content: scales and zero points are among them."""
_SCOPES = "pkg.torch.onnx.name_scopes"
_BITS = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2}


@dataclass(frozen=True, kw_only=True)
class OnnxConstant:
    """A stored tensor. content: equal for equal small constants, None for large ones and those kept in another file."""

    dtype: str
    shape: tuple[int, ...]
    content: str | None

    @property
    def size_bytes(self) -> int:
        """Of its elements, packed as ONNX packs them."""
        return (math.prod(self.shape) * _BITS.get(self.dtype, 8 * _element_bytes(self.dtype)) + 7) // 8


@dataclass(frozen=True, kw_only=True)
class OnnxNode:
    """One node. scope: the module that PyTorch's exporter noted, empty without such a note."""

    domain: str
    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, float | int]
    scope: str
    holds_graphs: bool

    @property
    def operator(self) -> str:
        """The operator with its domain where that is not the standard one."""
        return f"{self.domain}.{self.op_type}" if self.domain not in ("", "ai.onnx") else self.op_type


@dataclass(frozen=True, kw_only=True)
class OnnxGraph:
    """Nodes with those of inner graphs behind the node that holds them; outputs are those of the outermost graph."""

    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, OnnxConstant]
    outputs: tuple[str, ...]
    writer: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        writer = {name: place for place, node in enumerate(self.nodes) for name in node.outputs if name}
        object.__setattr__(self, "writer", writer)

    def bytes_by_dtype(self) -> dict[str, int]:
        """dtype -> bytes of all constants, most bytes first."""
        sizes: dict[str, int] = {}
        for constant in self.constants.values():
            sizes[constant.dtype] = sizes.get(constant.dtype, 0) + constant.size_bytes
        return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def read_onnx(path: Path) -> OnnxGraph:
    """The graph of the file; weights kept in other files are not read.

    Raises EngineMissingError without the onnx package, ModelUnreadableError when it is no ONNX file.
    """
    return _graph_of(path, _load(path))


def number_nodes(path: Path, numbered: Path, *, weights_folder: Path) -> OnnxGraph:
    """The graph of `path`, written again to `numbered` with the place of each node as its name.

    Names in a file may be missing, or be given again in an inner graph; with these a profile can be joined.

    weights_folder: where the files lie that hold weights, if any does; they then get a new one beside `numbered`.

    Raises as `read_onnx`, and ModelUnreadableError when those files cannot be read.
    """
    onnx = _import_onnx()
    model = _load(path)
    graph = _graph_of(path, model)
    for place, node in enumerate(_all_nodes(model.graph)):
        node.name = str(place)
    kept_apart = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    if kept_apart:
        external = importlib.import_module("onnx.external_data_helper")
        with _readable(path):
            external.load_external_data_for_model(model, str(weights_folder))
    onnx.save(model, numbered, save_as_external_data=kept_apart, location=f"{numbered.name}.weights")
    return graph


def _import_onnx() -> Any:  # the package's own types do not cover its protobuf classes
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as error:
        raise EngineMissingError(PACKAGE, EXTRA, one_line(error)) from error


def _load(path: Path) -> Any:
    onnx = _import_onnx()
    with _readable(path):
        return onnx.load(path, load_external_data=False)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever reading a damaged file raises becomes ModelUnreadableError."""
    protobuf = importlib.import_module("google.protobuf.message")
    checker = importlib.import_module("onnx.checker")
    try:
        yield
    except (
        OSError,
        RecursionError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        protobuf.DecodeError,
        checker.ValidationError,
    ) as error:
        next_step = "Copy the file again, with the files beside it that hold its weights, or export it again."
        raise ModelUnreadableError(describe_place(path), one_line(error), next_step) from error


def _graph_of(path: Path, model: Any) -> OnnxGraph:
    # Protocol buffers may be read without complaint and state shapes that their numbers do not fill.
    with _readable(path):
        return _plain(model)


def _plain(model: Any) -> OnnxGraph:
    helper = importlib.import_module("onnx.helper")
    nodes = [_node(node, helper) for node in _all_nodes(model.graph)]
    return OnnxGraph(
        nodes=tuple(nodes),
        constants=dict(_constants(model.graph)),
        outputs=tuple(value.name for value in model.graph.output),
    )


def _inner_graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for inner in _inner_graphs(node):
            yield from _all_nodes(inner)


def _constants(graph: Any) -> Iterator[tuple[str, OnnxConstant]]:
    for tensor in graph.initializer:
        yield tensor.name, _constant(tensor)
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, _constant(sparse.values)
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield node.output[0], _constant(attribute.t)
        for inner in _inner_graphs(node):
            yield from _constants(inner)


def _constant(tensor: Any) -> OnnxConstant:
    onnx = _import_onnx()
    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    shape = tuple(tensor.dims)
    content = None
    kept_here = tensor.data_location != onnx.TensorProto.EXTERNAL
    if kept_here and math.prod(shape) * _element_bytes(dtype) <= SMALL_BYTES and dtype != "string":
        array = importlib.import_module("onnx.numpy_helper").to_array(tensor)
        content = f"{dtype}{list(shape)}{hashlib.sha256(array.tobytes()).hexdigest()}"
    return OnnxConstant(dtype=dtype, shape=shape, content=content)


def _node(node: Any, helper: Any) -> OnnxNode:
    numbers = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute) if attribute.type in (1, 2) else None  # FLOAT, INT
        if isinstance(value, int | float):
            numbers[attribute.name] = value
    return OnnxNode(
        domain=node.domain,
        op_type=node.op_type,
        name=node.name,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=numbers,
        scope=_scope(node),
        holds_graphs=any(True for _ in _inner_graphs(node)),
    )


def _scope(node: Any) -> str:
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            try:
                scopes = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError):
                return ""
            # The last is the node itself, before it stands its module.
            return str(cast("list[object]", scopes)[-2]) if isinstance(scopes, list) and len(scopes) > 1 else ""
    return ""


def _element_bytes(dtype: str) -> int:
    if dtype in ("double", "int64", "uint64", "complex64"):
        return 8
    if dtype in ("float16", "bfloat16", "int16", "uint16"):
        return 2
    if dtype in ("float", "int32", "uint32"):
        return 4
    return 16 if dtype == "complex128" else 1
