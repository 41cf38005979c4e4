"""From a TfliteModel to the bytes of a .tflite file. Needs flatbuffers and numpy only.

Equal models give equal bytes. Every buffer starts at a multiple of 16, as the schema asks and flatbuffers' own helper
for numpy vectors does not do. What is equal is written once, and pointed to wherever it is used: shapes, scales,
options and stored numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import flatbuffers  # type: ignore[import-untyped]
import numpy as np

from condmix.exporters.tflite.model import Operation, Option, Quantization, Tensor, TfliteModel
from condmix.exporters.tflite.schema import FILE_IDENTIFIER, SCHEMA_VERSION, Operator, OptionsUnion

ALIGNMENT = 16
LARGEST_FILE = 2**31 - 1
"""Flatbuffers address with signed 32-bit offsets."""
SIGNATURE_KEY = "serving_default"

Slot = tuple[int, Callable[[flatbuffers.Builder, int], None]]


class _Written:
    """Where in the file the parts are that others may point to as well."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[object, ...], int] = {}

    def once(self, key: tuple[object, ...], write: Callable[[], int]) -> int:
        """The offset of the part that `key` tells all of; `write` is called for the first one only."""
        if key not in self._offsets:
            self._offsets[key] = write()
        return self._offsets[key]

    def numbers(self, builder: flatbuffers.Builder, array: np.ndarray) -> int:
        """A vector of numbers."""
        return self.once(("numbers", array.dtype.str, array.tobytes()), lambda: int(builder.CreateNumpyVector(array)))


def write_model(model: TfliteModel) -> bytes:
    """The file's content."""
    tensors = model.tensors()
    index = {id(tensor): position for position, tensor in enumerate(tensors)}
    builder = flatbuffers.Builder(1 << 20)
    codes = sorted({(operation.operator, operation.version) for operation in model.operations})

    written = _Written()
    buffers = [_buffer(builder, None)]
    buffer_of: dict[int, int] = {}
    place_of: dict[bytes, int] = {}
    for tensor in tensors:
        if tensor.data is None:
            continue
        raw = np.ascontiguousarray(tensor.data).tobytes()
        digest = hashlib.sha256(raw).digest()
        if digest not in place_of:
            place_of[digest] = len(buffers)
            buffers.append(_buffer(builder, raw))
        buffer_of[id(tensor)] = place_of[digest]
    metadata = []
    for name, content in sorted(model.metadata.items()):
        metadata.append(_table(builder, [_offset(0, builder.CreateString(name)), _uint32(1, len(buffers))]))
        buffers.append(_buffer(builder, content))

    stored_tensors = [_tensor(builder, written, item, buffer_of.get(id(item), 0)) for item in tensors]
    operations = [_operation(builder, written, item, index, codes) for item in model.operations]
    subgraph = _table(
        builder,
        [
            _offset(0, _offsets(builder, stored_tensors)),
            _offset(1, _int32s(builder, written, [index[id(item)] for item in model.inputs])),
            _offset(2, _int32s(builder, written, [index[id(item)] for item in model.outputs])),
            _offset(3, _offsets(builder, operations)),
            _offset(4, builder.CreateString("main")),
        ],
    )
    signature = _table(
        builder,
        [
            _offset(0, _tensor_map(builder, model.signature_inputs, [index[id(item)] for item in model.inputs])),
            _offset(1, _tensor_map(builder, model.signature_outputs, [index[id(item)] for item in model.outputs])),
            _offset(2, builder.CreateString(SIGNATURE_KEY)),
            _uint32(4, 0),
        ],
    )
    root = _table(
        builder,
        [
            (0, lambda b, slot: b.PrependUint32Slot(slot, SCHEMA_VERSION, 0)),
            _offset(1, _offsets(builder, [_code(builder, *code) for code in codes])),
            _offset(2, _offsets(builder, [subgraph])),
            _offset(3, builder.CreateString(model.description)),
            _offset(4, _offsets(builder, buffers)),
            *([_offset(6, _offsets(builder, metadata))] if metadata else []),
            _offset(7, _offsets(builder, [signature])),
        ],
    )
    builder.Finish(root, file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, slots: Sequence[Slot]) -> int:
    """A table from (slot, writer) pairs. Children must have been written before: offsets are values here."""
    builder.StartObject(1 + max((slot for slot, _ in slots), default=-1))
    for slot, write in slots:
        write(builder, slot)
    return int(builder.EndObject())


def _offset(slot: int, offset: int) -> Slot:
    return slot, lambda builder, place: builder.PrependUOffsetTRelativeSlot(place, offset, 0)


def _uint32(slot: int, value: int) -> Slot:
    return slot, lambda builder, place: builder.PrependUint32Slot(place, value, 0)


def _scalar(option: Option) -> Slot:
    """A scalar that is always stored, so that a default of the schema never stands for a choice of ours."""

    def write(builder: flatbuffers.Builder, slot: int) -> None:
        if option.kind == "int8":
            builder.PrependInt8(int(option.value))
        elif option.kind == "int32":
            builder.PrependInt32(int(option.value))
        elif option.kind == "bool":
            builder.PrependBool(bool(option.value))
        else:
            builder.PrependFloat32(float(option.value))
        builder.Slot(slot)

    return option.slot, write


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _int32s(builder: flatbuffers.Builder, written: _Written, numbers: Sequence[int]) -> int:
    return written.numbers(builder, np.asarray(numbers, dtype=np.int32))


def _buffer(builder: flatbuffers.Builder, raw: bytes | None) -> int:
    if not raw:
        return _table(builder, [])
    builder.StartVector(1, len(raw), ALIGNMENT)
    builder.head = builder.head - len(raw)
    builder.Bytes[builder.head : builder.head + len(raw)] = raw
    builder.vectorNumElems = len(raw)
    return _table(builder, [_offset(0, builder.EndVector())])


def _tensor(builder: flatbuffers.Builder, written: _Written, tensor: Tensor, buffer: int) -> int:
    slots = [
        _offset(0, _int32s(builder, written, tensor.shape)),
        (1, lambda b, slot: b.PrependInt8Slot(slot, int(tensor.type), 0)),
        _uint32(2, buffer),
        _offset(3, builder.CreateString(tensor.name)),
    ]
    if tensor.quantization is not None:
        slots.append(_offset(4, _quantization(builder, written, tensor.quantization)))
    slots.append((8, lambda b, slot: b.PrependBoolSlot(slot, True, False)))
    return _table(builder, slots)


def _quantization(builder: flatbuffers.Builder, written: _Written, quantization: Quantization) -> int:
    scales = np.asarray(quantization.scales, dtype=np.float32)
    # Eight bytes a channel, nearly always zeros.
    zeros = np.full(scales.shape, quantization.zero_point, dtype=np.int64)
    axis = quantization.axis if len(scales) > 1 else 0
    scale_at, zeros_at = written.numbers(builder, scales), written.numbers(builder, zeros)
    slots = [_offset(2, scale_at), _offset(3, zeros_at)]
    slots.append((6, lambda b, slot: b.PrependInt32Slot(slot, axis, 0)))
    return written.once(("quantization", scale_at, zeros_at, axis), lambda: _table(builder, slots))


def _operation(
    builder: flatbuffers.Builder,
    written: _Written,
    operation: Operation,
    index: dict[int, int],
    codes: Sequence[tuple[Operator, int]],
) -> int:
    inputs = _int32s(builder, written, [-1 if item is None else index[id(item)] for item in operation.inputs])
    outputs = _int32s(builder, written, [index[id(item)] for item in operation.outputs])
    slots = [
        _uint32(0, codes.index((operation.operator, operation.version))),
        _offset(1, inputs),
        _offset(2, outputs),
    ]
    if operation.options_type is not OptionsUnion.NONE:
        fields = [_scalar(option) for option in operation.options]
        options = written.once(("options", *operation.options), lambda: _table(builder, fields))
        slots.append((3, lambda b, slot: b.PrependUint8Slot(slot, int(operation.options_type), 0)))
        slots.append(_offset(4, options))
    return _table(builder, slots)


def _code(builder: flatbuffers.Builder, operator: Operator, version: int) -> int:
    # The old field is one byte wide: newer operators say 127 there and their number in the new field.
    return _table(
        builder,
        [
            (0, lambda b, slot: b.PrependInt8Slot(slot, min(int(operator), 127), 0)),
            (2, lambda b, slot: b.PrependInt32Slot(slot, version, 1)),
            (3, lambda b, slot: b.PrependInt32Slot(slot, int(operator), 0)),
        ],
    )


def _tensor_map(builder: flatbuffers.Builder, names: Sequence[str], indices: Sequence[int]) -> int:
    return _offsets(
        builder,
        [
            _table(builder, [_offset(0, builder.CreateString(name)), _uint32(1, position)])
            for name, position in zip(names, indices, strict=True)
        ],
    )
