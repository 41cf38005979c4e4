"""Float and integer twins of the tensors of a model that is being rewritten: each is made once, and on demand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from condmix.exporters.quantize.parameters import Affine
from condmix.exporters.quantize.tflite.ratios import RESCALE_RATIOS
from condmix.exporters.quantize.tflite.versions import (
    DEQUANTIZE_INT16,
    DEQUANTIZE_TENSOR,
    QUANTIZE_FLOAT,
    QUANTIZE_INT16,
    QUANTIZE_INTEGER,
)
from condmix.exporters.quantize.tflite.weights import as_quantization
from condmix.exporters.tflite.model import Operation, Quantization, Tensor
from condmix.exporters.tflite.schema import Operator, OptionsUnion, TensorType


class Twins:
    """What the tensors of the float model are held in so far. Conversions are added to `operations` as they are needed.

    affines: scale of every tensor that is held as integers, by identity.
    """

    def __init__(self, affines: Mapping[int, Affine], integer_type: TensorType, operations: list[Operation]) -> None:
        self._affines = affines
        self._type = integer_type
        self._operations = operations
        self._floats: dict[int, Tensor] = {}
        self._integers: dict[int, dict[Quantization, Tensor]] = {}

    def hold_float(self, tensors: Iterable[Tensor]) -> None:
        """An operator, or the caller, writes them as float."""
        self._floats |= {id(tensor): tensor for tensor in tensors}

    def as_float(self, tensor: Tensor, reader: Operation) -> Tensor:
        """The float twin, made where `reader` needs it; stored tensors and those of other types are their own."""
        if tensor.data is not None or tensor.type is not TensorType.FLOAT32:
            return tensor
        twin = self._floats.get(id(tensor))
        if twin is None:
            # The first is the one that an operator wrote; others were made from it.
            held = next(iter(self._integers[id(tensor)].values()))
            twin = Tensor(name=f"{tensor.name}_float", shape=tensor.shape, type=TensorType.FLOAT32)
            version = DEQUANTIZE_INT16 if self._type is TensorType.INT16 else DEQUANTIZE_TENSOR
            self.convert(Operator.DEQUANTIZE, held, twin, version, reader)
            self._floats[id(tensor)] = twin
        return twin

    def as_integer(self, tensor: Tensor, affine: Affine, reader: Operation) -> Tensor:
        """The twin with that scale, made where `reader` needs it."""
        quantization = as_quantization(affine)
        twins = self._integers.setdefault(id(tensor), {})
        if quantization not in twins:
            number = f"_{len(twins) + 1}" if twins else ""
            twin = Tensor(
                name=f"{tensor.name}_{self._type.name.lower()}{number}",
                shape=tensor.shape,
                type=self._type,
                quantization=quantization,
            )
            held = self._floats.get(id(tensor))
            version = QUANTIZE_FLOAT if self._type is TensorType.INT8 else QUANTIZE_INT16
            if held is None:
                held, version = next(iter(twins.values())), QUANTIZE_INTEGER
                assert held.quantization is not None
                if not RESCALE_RATIOS[0] < held.quantization.single_scale / affine.scale < RESCALE_RATIOS[1]:
                    held, version = self.as_float(tensor, reader), QUANTIZE_FLOAT
            self.convert(Operator.QUANTIZE, held, twin, version, reader)
            twins[quantization] = twin
        return twins[quantization]

    def write_integer(self, tensor: Tensor) -> Tensor:
        """The twin that an operator writes; it takes the tensor's own name."""
        quantization = as_quantization(self._affines[id(tensor)])
        held = Tensor(name=tensor.name, shape=tensor.shape, type=self._type, quantization=quantization)
        self._integers[id(tensor)] = {quantization: held}
        return held

    def convert(self, operator: Operator, source: Tensor, twin: Tensor, version: int, reader: Operation) -> None:
        """A QUANTIZE or DEQUANTIZE from `source` to `twin`, which belongs to what `reader` belongs to."""
        union = OptionsUnion.QUANTIZE if operator is Operator.QUANTIZE else OptionsUnion.DEQUANTIZE
        self._operations.append(
            Operation(
                operator=operator,
                inputs=(source,),
                outputs=(twin,),
                options_type=union,
                version=version,
                path=reader.path,
                source=reader.source,
            )
        )
