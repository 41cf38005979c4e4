"""Building a TFLite graph: tensors for graph values, operators in order, names with module paths.

Layout: every four-dimensional activation is NHWC, all others are as in ONNX. Shapes in this package are TFLite's unless
a name says nchw.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.tflite.model import TYPE_OF_DTYPE, Operation, Option, Quantization, Tensor
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType

FUSED_ACTIVATION_SLOT = {
    OptionsUnion.ADD: 0,
    OptionsUnion.MUL: 0,
    OptionsUnion.SUB: 0,
    OptionsUnion.DIV: 0,
    OptionsUnion.CONV_2D: 3,
    OptionsUnion.DEPTHWISE_CONV_2D: 4,
    OptionsUnion.FULLY_CONNECTED: 0,
    OptionsUnion.CONCATENATION: 1,
    OptionsUnion.POOL_2D: 5,
}


def nhwc(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape in TFLite's layout."""
    if len(shape) != 4:
        return tuple(shape)
    batch, channels, height, width = shape
    return batch, height, width, channels


def to_nhwc(array: np.ndarray) -> np.ndarray:
    """A four-dimensional array in TFLite's layout, others as they are."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


class Emitter:
    """Collects one subgraph. `path` and `source` say whose operators are being written: module and graph node."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.path = ""
        self.source = ""
        self._values: dict[ir.Value, Tensor] = {}
        self._names: set[str] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        self._shared: dict[Hashable, Tensor] = {}

    def unique(self, name: str) -> str:
        """A tensor name that no other tensor has."""
        candidate, number = name, 2
        while candidate in self._names:
            candidate, number = f"{name}_{number}", number + 1
        self._names.add(candidate)
        return candidate

    def bind(self, value: ir.Value, tensor: Tensor) -> None:
        """Say which tensor holds a graph value; the tensor takes the value's name behind its module path."""
        self._values[value] = tensor
        if tensor.data is None:
            tensor.name = self.unique(f"{self.path}:{value.name}" if self.path else str(value.name))

    def once(self, key: Hashable, write: Callable[[], Tensor]) -> Tensor:
        """What `write` gave when it was first called for that key."""
        if key not in self._shared:
            self._shared[key] = write()
        return self._shared[key]

    def tensor(self, value: ir.Value) -> Tensor:
        """The tensor that holds a graph value."""
        return self._values[value]

    def holds(self, value: ir.Value) -> bool:
        """Whether a graph value has been written."""
        return value in self._values

    def tensor_names(self) -> dict[str, str]:
        """The tensor name of every computed graph value."""
        return {str(value.name): tensor.name for value, tensor in self._values.items() if tensor.data is None}

    def new(self, shape: Sequence[int], role: str, *, like: TensorType = TensorType.FLOAT32) -> Tensor:
        """A new computed tensor."""
        return Tensor(name=self.unique(f"{self.path}/{role}"), shape=tuple(shape), type=like)

    def constant(self, array: np.ndarray, role: str, *, quantization: Quantization | None = None) -> Tensor:
        """A stored tensor. Small equal ones (shapes, axes) are shared; weights never are."""
        data = np.ascontiguousarray(array)
        key = (data.dtype.str, data.shape, data.tobytes()) if data.size <= 16 and quantization is None else None
        if key is not None and key in self._constants:
            return self._constants[key]
        # Shapes and the like serve every module that needs the same: they have the name of none.
        nobodys = key is not None and data.dtype == np.int32
        tensor = Tensor(
            name=self.unique(role if nobodys else f"{self.path}/{role}"),
            shape=tuple(data.shape),
            type=TYPE_OF_DTYPE[data.dtype],
            data=data,
            quantization=quantization,
        )
        if key is not None:
            self._constants[key] = tensor
        return tensor

    def int32s(self, numbers: Sequence[int], role: str) -> Tensor:
        """A stored vector of integers."""
        return self.constant(np.asarray(numbers, dtype=np.int32), role)

    def emit(
        self,
        operator: Operator,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        *,
        role: str | None = None,
        options_type: OptionsUnion = OptionsUnion.NONE,
        options: Mapping[int, tuple[str, int | float | bool]] | None = None,
        activation: Activation = Activation.NONE,
        version: int = 1,
        like: TensorType = TensorType.FLOAT32,
    ) -> Tensor:
        """A new operator with one result."""
        output = self.new(shape, role or operator.name.lower(), like=like)
        fields = dict(options or {})
        if options_type in FUSED_ACTIVATION_SLOT:
            fields[FUSED_ACTIVATION_SLOT[options_type]] = ("int8", int(activation))
        self.operations.append(
            Operation(
                operator=operator,
                inputs=tuple(inputs),
                outputs=(output,),
                options_type=options_type,
                options=tuple(Option(slot=slot, kind=kind, value=value) for slot, (kind, value) in fields.items()),
                version=version,
                path=self.path,
                source=self.source,
            )
        )
        return output

    def reshape(self, tensor: Tensor, shape: Sequence[int], role: str = "reshape") -> Tensor:
        """The same elements in another shape; nothing is written when the shape is the same."""
        if tensor.shape == tuple(shape):
            return tensor
        return self.emit(
            Operator.RESHAPE,
            [tensor, self.int32s(shape, f"{role}_shape")],
            shape,
            role=role,
            options_type=OptionsUnion.RESHAPE,
            like=tensor.type,
        )

    def transpose(self, tensor: Tensor, permutation: Sequence[int], role: str = "transpose") -> Tensor:
        """Axes in another order."""
        if list(permutation) == sorted(permutation):
            return tensor
        shape = tuple(tensor.shape[axis] for axis in permutation)
        inputs = [tensor, self.int32s(permutation, f"{role}_axes")]
        return self.emit(
            Operator.TRANSPOSE, inputs, shape, role=role, options_type=OptionsUnion.TRANSPOSE, like=tensor.type
        )

    def pad(self, tensor: Tensor, amounts: Sequence[tuple[int, int]], role: str = "pad") -> Tensor:
        """Zeros around; nothing is written when there are none."""
        if not any(before or after for before, after in amounts):
            return tensor
        shape = [length + before + after for length, (before, after) in zip(tensor.shape, amounts, strict=True)]
        paddings = self.constant(np.asarray(amounts, dtype=np.int32), f"{role}_amounts")
        return self.emit(
            Operator.PAD, [tensor, paddings], shape, role=role, options_type=OptionsUnion.PAD, like=tensor.type
        )

    def slice(self, tensor: Tensor, begin: Sequence[int], size: Sequence[int], role: str = "slice") -> Tensor:
        """A box of a tensor, with sizes written out: the delegate does not take open ones."""
        if tuple(size) == tensor.shape:
            return tensor
        inputs = [tensor, self.int32s(begin, f"{role}_begin"), self.int32s(size, f"{role}_size")]
        return self.emit(Operator.SLICE, inputs, size, role=role, options_type=OptionsUnion.SLICE, like=tensor.type)

    def strided_slice(
        self, tensor: Tensor, begin: Sequence[int], end: Sequence[int], steps: Sequence[int], role: str = "slice"
    ) -> Tensor:
        """Every `steps`-th element of a box."""
        shape = [-(-(last - first) // step) for first, last, step in zip(begin, end, steps, strict=True)]
        inputs = [tensor, *(self.int32s(item, f"{role}_{name}") for name, item in (("begin", begin), ("end", end)))]
        return self.emit(
            Operator.STRIDED_SLICE,
            [*inputs, self.int32s(steps, f"{role}_steps")],
            shape,
            role=role,
            options_type=OptionsUnion.STRIDED_SLICE,
            options={slot: ("int32", 0) for slot in range(5)},
            like=tensor.type,
        )

    def concat(
        self, tensors: Sequence[Tensor], axis: int, role: str = "concat", activation: Activation = Activation.NONE
    ) -> Tensor:
        """Tensors side by side; more than four are joined in two steps, as many as the delegate takes at once."""
        if len(tensors) == 1:
            return tensors[0]
        if len(tensors) > LARGEST_CONCAT:
            head = self.concat(tensors[:LARGEST_CONCAT], axis, role)
            return self.concat([head, *tensors[LARGEST_CONCAT:]], axis, role, activation)
        shape = list(tensors[0].shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
        return self.emit(
            Operator.CONCATENATION,
            tensors,
            shape,
            role=role,
            options_type=OptionsUnion.CONCATENATION,
            options={0: ("int32", axis)},
            activation=activation,
            like=tensors[0].type,
        )

    def binary(
        self, operator: Operator, left: Tensor, right: Tensor, role: str, activation: Activation = Activation.NONE
    ) -> Tensor:
        """ADD, SUB, MUL, DIV, MINIMUM, MAXIMUM or POW with broadcasting."""
        union = {
            Operator.ADD: OptionsUnion.ADD,
            Operator.SUB: OptionsUnion.SUB,
            Operator.MUL: OptionsUnion.MUL,
            Operator.DIV: OptionsUnion.DIV,
            Operator.MINIMUM: OptionsUnion.MAXIMUM_MINIMUM,
            Operator.MAXIMUM: OptionsUnion.MAXIMUM_MINIMUM,
            Operator.POW: OptionsUnion.POW,
        }[operator]
        shape = np.broadcast_shapes(left.shape, right.shape)
        return self.emit(
            operator, [left, right], shape, role=role, options_type=union, activation=activation, like=left.type
        )

    def fully_connected(
        self,
        tensor: Tensor,
        weight_oi: Tensor,
        bias_o: Tensor | None,
        role: str = "fully_connected",
        *,
        version: int = 1,
        activation: Activation = Activation.NONE,
    ) -> Tensor:
        """(rows, in) times the transposed weight (out, in)."""
        shape = (tensor.shape[0], weight_oi.shape[0])
        return self.emit(
            Operator.FULLY_CONNECTED,
            [tensor, weight_oi, bias_o],
            shape,
            role=role,
            options_type=OptionsUnion.FULLY_CONNECTED,
            activation=activation,
            version=version,
        )

    def batch_matmul(self, left: Tensor, right: Tensor, role: str, *, transpose_right: bool = False) -> Tensor:
        """[..., rows, inner] times [..., inner, columns]."""
        columns = right.shape[-2] if transpose_right else right.shape[-1]
        lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        return self.emit(
            Operator.BATCH_MATMUL,
            [left, right],
            (*lead, left.shape[-2], columns),
            role=role,
            options_type=OptionsUnion.BATCH_MATMUL,
            options={0: ("bool", False), 1: ("bool", transpose_right)},
        )


LARGEST_CONCAT = 4
"""Inputs of a CONCATENATION that the delegate's documentation promises to take."""
