"""The constants that a model file stores, by name, and how those of two files differ."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from condmix.deploy.errors import UnreadableFileError
from condmix.runtime.artifact import Format
from condmix.runtime.errors import EngineMissingError, one_line
from condmix.runtime.signature import Tensor

MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class WeightsDifference:
    """What the constants of two files have in common.

    only_a, only_b: names that the other has not. equal: names of the same dtype, shape and values.
    max_abs_difference: name -> of the ones with the same shape and other values; infinite where one is not finite.
    unlike: name -> dtype and shape in both, where the shapes differ or the values are not of one kind.
    """

    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    equal: tuple[str, ...]
    max_abs_difference: Mapping[str, float]
    unlike: Mapping[str, str]

    @property
    def shared(self) -> int:
        """Names that both have."""
        return len(self.equal) + len(self.max_abs_difference) + len(self.unlike)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; what is infinite is null."""
        return {
            "shared": self.shared,
            "equal": len(self.equal),
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "max_abs_difference": {
                name: value if np.isfinite(value) else None for name, value in self.max_abs_difference.items()
            },
            "unlike": dict(self.unlike),
        }


def stored_weights(path: Path, format: Format) -> dict[str, Tensor]:
    """name -> array, of every constant with a name and values that numpy has a type for.

    Raises UnreadableFileError when the constants cannot be read, EngineMissingError without the package that does.
    """
    try:
        return _of_onnx(path) if format is Format.ONNX else _of_tflite(path.read_bytes())
    except EngineMissingError:
        raise
    except Exception as error:  # readers of damaged files raise whatever they stumble over
        message = f"{path}: its constants cannot be read: {one_line(error)}. Copy it again, with the files beside it."
        raise UnreadableFileError(message) from error


def compare_weights(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> WeightsDifference:
    """The difference, by name."""
    equal, differences, unlike = [], {}, {}
    for name in (name for name in a if name in b):
        one, other = a[name], b[name]
        if one.shape != other.shape or _is_whole(one) != _is_whole(other):
            unlike[name] = f"{_said(one)} against {_said(other)}"
        elif one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            equal.append(name)
        else:
            with np.errstate(invalid="ignore"):
                apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
            differences[name] = float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf")
    return WeightsDifference(
        only_a=tuple(name for name in a if name not in b),
        only_b=tuple(name for name in b if name not in a),
        equal=tuple(equal),
        max_abs_difference=dict(sorted(differences.items(), key=lambda item: -item[1])),
        unlike=unlike,
    )


def _is_whole(array: Tensor) -> bool:
    return array.dtype.kind != "f"


def _said(array: Tensor) -> str:
    return f"{array.dtype} {'x'.join(map(str, array.shape)) or 'scalar'}"


def _import(module: str, package: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EngineMissingError(package, extra, one_line(error)) from error


def _of_onnx(path: Path) -> dict[str, Tensor]:
    onnx = _import("onnx", "onnx", "export")
    numpy_helper = importlib.import_module("onnx.numpy_helper")
    helper = importlib.import_module("onnx.helper")
    found: dict[str, Tensor] = {}
    for tensor in onnx.load(path).graph.initializer:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if np.dtype(dtype).kind in "fiub":
            found[tensor.name] = numpy_helper.to_array(tensor)
    return found


def _of_tflite(content: bytes) -> dict[str, Tensor]:
    schema = _import("ai_edge_litert.schema_py_generated", "ai-edge-litert", "litert")
    dtypes = {
        getattr(schema.TensorType, name.upper()): np.dtype(name)
        for name in ("float32", "float16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
    }
    model = schema.Model.GetRootAs(content, 0)
    found: dict[str, Tensor] = {}
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        for place in range(graph.TensorsLength()):
            tensor = graph.Tensors(place)
            buffer = model.Buffers(tensor.Buffer())
            name = (tensor.Name() or b"").decode("utf-8", "replace")
            if name and buffer.DataLength() and tensor.Type() in dtypes:
                data = buffer.DataAsNumpy().tobytes()
                shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
                found.setdefault(name, np.frombuffer(data, dtypes[tensor.Type()]).reshape(shape))
    return found
