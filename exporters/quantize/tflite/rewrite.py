"""From a float model and a plan to a model with integers: one operator at a time, twins of tensors made on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.quantize.tflite.plan import Arithmetic, Plan, has_one_scale
from condmix.exporters.quantize.tflite.roles import FILTER, has_stored_filter, moves_only
from condmix.exporters.quantize.tflite.twins import Twins
from condmix.exporters.quantize.tflite.versions import (
    DEQUANTIZE_CHANNELS,
    DEQUANTIZE_TENSOR,
    HYBRID_VERSIONS,
    INT8_VERSIONS,
    INT16_VERSIONS,
)
from condmix.exporters.quantize.tflite.weights import (
    int8_bank,
    int8_weight,
    integer_constant,
    integer_filter,
)
from condmix.exporters.tflite.emitter import FUSED_ACTIVATION_SLOT
from condmix.exporters.tflite.model import Operation, Option, Tensor, TfliteModel
from condmix.exporters.tflite.schema import Activation, Operator, OptionsUnion, TensorType

CONV_OPTIONS = ((0, "int8", 1), (1, "int32", 1), (2, "int32", 1), (4, "int32", 1), (5, "int32", 1))
"""VALID, strides 1, dilations 1."""


def rewrite(
    model: TfliteModel,
    plan: Plan,
    affines: Mapping[int, Affine],
    integer_type: TensorType,
    *,
    integer_ends: bool = False,
) -> TfliteModel:
    """The model with every operation in the arithmetic of its choice.

    affines: scale of every tensor that is held as integers. integer_ends: inputs and outputs are integers too.
    """
    return _Rewriter(model, plan, affines, integer_type).run(integer_ends)


class _Rewriter:
    def __init__(self, model: TfliteModel, plan: Plan, affines: Mapping[int, Affine], integer_type: TensorType) -> None:
        self._model = model
        self._plan = plan
        self._affines = affines
        self._type = integer_type
        self._operations: list[Operation] = []
        self._twins = Twins(affines, integer_type, self._operations)
        self._unpacked: dict[int, Tensor] = {}
        self._zeros: dict[tuple[int, ...], Tensor] = {}

    def run(self, integer_ends: bool) -> TfliteModel:
        model = self._model
        inputs = model.inputs
        if integer_ends:
            inputs = tuple(self._twins.write_integer(item) for item in model.inputs)
        else:
            self._twins.hold_float(model.inputs)
        for index, operation in enumerate(model.operations):
            write = {
                Arithmetic.INTEGER: self._integer,
                Arithmetic.HYBRID: self._hybrid,
                Arithmetic.STORED: self._stored,
                Arithmetic.FLOAT: self._float,
            }[self._plan.arithmetic(index)]
            write(operation)
        last = Operation(operator=Operator.RESHAPE, inputs=(), outputs=(), options_type=OptionsUnion.NONE)
        if integer_ends:
            outputs = tuple(self._twins.as_integer(item, self._affines[id(item)], last) for item in model.outputs)
        else:
            outputs = tuple(self._twins.as_float(item, last) for item in model.outputs)
        return replace(model, operations=tuple(self._operations), inputs=inputs, outputs=outputs)

    def _float(self, operation: Operation) -> None:
        inputs = tuple(None if item is None else self._twins.as_float(item, operation) for item in operation.inputs)
        self._twins.hold_float(operation.outputs)
        self._operations.append(replace(operation, inputs=inputs))

    def _stored(self, operation: Operation) -> None:
        weight = operation.inputs[FILTER]
        assert weight is not None
        if id(weight) not in self._unpacked:
            whole = Tensor(name=weight.name, shape=weight.shape, type=TensorType.FLOAT32)
            one_scale = id(operation) in self._plan.roles.mixing
            packed = int8_bank(weight) if one_scale else int8_weight(weight, operation.operator)
            packed.name = f"{weight.name}_int8"
            self._twins.convert(
                Operator.DEQUANTIZE, packed, whole, DEQUANTIZE_TENSOR if one_scale else DEQUANTIZE_CHANNELS, operation
            )
            self._unpacked[id(weight)] = whole
        rest = operation.inputs[FILTER + 1 :]
        first = operation.inputs[0]
        assert first is not None
        inputs = (self._twins.as_float(first, operation), self._unpacked[id(weight)], *rest)
        self._twins.hold_float(operation.outputs)
        self._operations.append(replace(operation, inputs=inputs))

    def _hybrid(self, operation: Operation) -> None:
        first, weight = operation.inputs[:2]
        assert first is not None
        assert weight is not None
        x = self._twins.as_float(first, operation)
        self._twins.hold_float(operation.outputs)
        if id(operation) in self._plan.roles.mixing:
            inputs = (x, int8_bank(weight), *operation.inputs[2:])
            self._operations.append(
                replace(operation, inputs=inputs, version=HYBRID_VERSIONS[Operator.FULLY_CONNECTED])
            )
            return
        if operation.operator is Operator.FULLY_CONNECTED:
            self._as_convolution(operation, x)
            return
        inputs = (x, self._hybrid_weight(operation, weight), *operation.inputs[2:])
        self._operations.append(replace(operation, inputs=inputs, version=HYBRID_VERSIONS[operation.operator]))

    def _hybrid_weight(self, operation: Operation, weight: Tensor) -> Tensor:
        """The weights of a product that becomes a convolution, or is one."""
        one_scale = has_one_scale(operation, self._plan.roles)
        return int8_bank(weight) if one_scale else int8_weight(weight, Operator.CONV_2D)

    def _integer(self, operation: Operation) -> None:
        if has_stored_filter(operation):
            self._product(operation)
            return
        output = operation.outputs[0]
        wanted = self._affines[id(output)] if moves_only(operation) else None
        inputs: list[Tensor | None] = []
        for item in operation.inputs:
            if item is None or item.type is not TensorType.FLOAT32:
                inputs.append(item)
            elif item.data is not None:
                inputs.append(integer_constant(item, self._type, wanted))
            else:
                inputs.append(self._twins.as_integer(item, wanted or self._affines[id(item)], operation))
        self._append(operation, tuple(inputs))

    def _product(self, operation: Operation) -> None:
        first, weight = operation.inputs[:2]
        assert first is not None
        assert weight is not None
        affine = self._affines[id(first)]
        x = self._twins.as_integer(first, affine, operation)
        if id(operation) in self._plan.roles.mixing:
            self._append(operation, (x, int8_bank(weight), None))
            return
        bias_type = TensorType.INT64 if self._type is TensorType.INT16 else TensorType.INT32
        bias = operation.inputs[2] if len(operation.inputs) > 2 else None
        made = integer_filter(weight, bias, operation.operator, affine, bias_type)
        self._append(operation, (x, made.weight, self._bias(made.bias)))

    def _bias(self, bias: Tensor | None) -> Tensor | None:
        """The bias; for zeros those of another operator, for they are zero in any scale."""
        if bias is None or bias.data is None or bias.data.any():
            return bias
        return self._zeros.setdefault(bias.shape, bias)

    def _append(self, operation: Operation, inputs: tuple[Tensor | None, ...]) -> None:
        """The operation on integers."""
        versions = INT16_VERSIONS if self._type is TensorType.INT16 else INT8_VERSIONS
        options, union, operator = operation.options, operation.options_type, operation.operator
        if operator in (Operator.RELU, Operator.RELU6) and self._begins_at_zero(operation.outputs[0]):
            # The delegate has none for integers; but a scale that begins at zero, and ends at 6, cuts there by itself.
            operator, union, options = Operator.QUANTIZE, OptionsUnion.QUANTIZE, ()
        if self._type is TensorType.INT16 and operator in (Operator.ADD, Operator.SUB):
            options = (*options, Option(slot=1, kind="bool", value=False))
        self._operations.append(
            replace(
                operation,
                operator=operator,
                inputs=inputs,
                outputs=tuple(self._twins.write_integer(output) for output in operation.outputs),
                options_type=union,
                options=options,
                version=max(operation.version, versions.get(operator, 1)),
            )
        )

    def _begins_at_zero(self, output: Tensor) -> bool:
        affine = self._affines[id(output)]
        return affine.zero_point == affine.grid.low

    def _as_convolution(self, operation: Operation, x: Tensor) -> None:
        """FULLY_CONNECTED as a 1x1 convolution, whose scales a channel every runtime reads."""
        weight, bias = operation.inputs[1], operation.inputs[2] if len(operation.inputs) > 2 else None
        assert weight is not None
        assert weight.data is not None
        output = operation.outputs[0]
        rows, (out_channels, in_channels) = x.shape[0], weight.shape
        image = Tensor(name=f"{output.name}_input_image", shape=(rows, 1, 1, in_channels), type=TensorType.FLOAT32)
        result = Tensor(name=f"{output.name}_image", shape=(rows, 1, 1, out_channels), type=TensorType.FLOAT32)
        filters = Tensor(
            name=weight.name,
            shape=(out_channels, 1, 1, in_channels),
            type=TensorType.FLOAT32,
            data=weight.data.reshape(out_channels, 1, 1, in_channels),
        )
        slot = FUSED_ACTIVATION_SLOT[OptionsUnion.FULLY_CONNECTED]
        activation = next((item.value for item in operation.options if item.slot == slot), int(Activation.NONE))
        if bias is None:
            zeros = np.zeros(out_channels, dtype=np.float32)
            bias = Tensor(name=f"{weight.name}_no_bias", shape=zeros.shape, type=TensorType.FLOAT32, data=zeros)
        own = Option(slot=FUSED_ACTIVATION_SLOT[OptionsUnion.CONV_2D], kind="int8", value=activation)
        self._reshape(x, image, operation)
        self._operations.append(
            replace(
                operation,
                operator=Operator.CONV_2D,
                inputs=(image, self._hybrid_weight(operation, filters), bias),
                outputs=(result,),
                options_type=OptionsUnion.CONV_2D,
                options=(*(Option(slot=place, kind=kind, value=value) for place, kind, value in CONV_OPTIONS), own),
                version=HYBRID_VERSIONS[Operator.CONV_2D],
            )
        )
        self._reshape(result, output, operation)

    def _reshape(self, source: Tensor, result: Tensor, reader: Operation) -> None:
        shape = Tensor(
            name=f"{result.name}_shape",
            shape=(len(result.shape),),
            type=TensorType.INT32,
            data=np.asarray(result.shape, dtype=np.int32),
        )
        self._operations.append(
            Operation(
                operator=Operator.RESHAPE,
                inputs=(source, shape),
                outputs=(result,),
                options_type=OptionsUnion.RESHAPE,
                path=reader.path,
                source=reader.source,
            )
        )
