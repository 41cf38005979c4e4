"""From a TfliteModel to the bytes of a .tflite file. Needs flatbuffers and numpy only.

Equal models give equal bytes. Every buffer starts at a multiple of 16, as the schema asks and flatbuffers' own helper
for numpy vectors does not do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import flatbuffers  # type: ignore[import-untyped]
import numpy as np

from condmix.exporters.tflite.model import Operation, Option, Quantization, Tensor, TfliteModel
from condmix.exporters.tflite.schema import FILE_IDENTIFIER, SCHEMA_VERSION, Operator, OptionsUnion

ALIGNMENT = 16
LARGEST_FILE = 2**31 - 1
"""Flatbuffers address with signed 32-bit offsets."""
SIGNATURE_KEY = "serving_default"

Slot = tuple[int, Callable[[flatbuffers.Builder, int], None]]


def write_model(model: TfliteModel) -> bytes:
    """The file's content."""
    tensors = model.tensors()
    index = {id(tensor): position for position, tensor in enumerate(tensors)}
    builder = flatbuffers.Builder(1 << 20)
    codes = sorted({(operation.operator, operation.version) for operation in model.operations})

    buffers = [_buffer(builder, None)]
    buffer_of: dict[int, int] = {}
    for tensor in tensors:
        if tensor.data is not None:
            buffer_of[id(tensor)] = len(buffers)
            buffers.append(_buffer(builder, np.ascontiguousarray(tensor.data)))
    metadata = []
    for name, content in sorted(model.metadata.items()):
        metadata.append(_table(builder, [_offset(0, builder.CreateString(name)), _uint32(1, len(buffers))]))
        buffers.append(_buffer(builder, np.frombuffer(content, dtype=np.uint8)))

    subgraph = _table(
        builder,
        [
            _offset(0, _tensors(builder, tensors, buffer_of)),
            _offset(1, _int32s(builder, [index[id(item)] for item in model.inputs])),
            _offset(2, _int32s(builder, [index[id(item)] for item in model.outputs])),
            _offset(3, _offsets(builder, [_operation(builder, item, index, codes) for item in model.operations])),
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


def _int32s(builder: flatbuffers.Builder, numbers: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(numbers, dtype=np.int32)))


def _buffer(builder: flatbuffers.Builder, data: np.ndarray | None) -> int:
    if data is None or data.size == 0:
        return _table(builder, [])
    raw = data.tobytes()
    builder.StartVector(1, len(raw), ALIGNMENT)
    builder.head = builder.head - len(raw)
    builder.Bytes[builder.head : builder.head + len(raw)] = raw
    builder.vectorNumElems = len(raw)
    return _table(builder, [_offset(0, builder.EndVector())])


def _tensors(builder: flatbuffers.Builder, tensors: Sequence[Tensor], buffer_of: Mapping[int, int]) -> int:
    zero_points: dict[tuple[int, int], int] = {}
    return _offsets(builder, [_tensor(builder, item, buffer_of.get(id(item), 0), zero_points) for item in tensors])


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int, zero_points: dict[tuple[int, int], int]) -> int:
    slots = [
        _offset(0, _int32s(builder, tensor.shape)),
        (1, lambda b, slot: b.PrependInt8Slot(slot, int(tensor.type), 0)),
        _uint32(2, buffer),
        _offset(3, builder.CreateString(tensor.name)),
    ]
    if tensor.quantization is not None:
        slots.append(_offset(4, _quantization(builder, tensor.quantization, zero_points)))
    slots.append((8, lambda b, slot: b.PrependBoolSlot(slot, True, False)))
    return _table(builder, slots)


def _quantization(
    builder: flatbuffers.Builder, quantization: Quantization, zero_points: dict[tuple[int, int], int]
) -> int:
    scales = np.asarray(quantization.scales, dtype=np.float32)
    key = (len(scales), quantization.zero_point)
    if key not in zero_points:
        # Eight bytes a channel, nearly always zeros: equal ones are written once, and every tensor points there.
        zero_points[key] = builder.CreateNumpyVector(np.full(scales.shape, quantization.zero_point, dtype=np.int64))
    scale = builder.CreateNumpyVector(scales)
    axis = quantization.axis if len(scales) > 1 else 0
    slots = [_offset(2, scale), _offset(3, zero_points[key])]
    slots.append((6, lambda b, slot: b.PrependInt32Slot(slot, axis, 0)))
    return _table(builder, slots)


def _operation(
    builder: flatbuffers.Builder, operation: Operation, index: dict[int, int], codes: Sequence[tuple[Operator, int]]
) -> int:
    inputs = _int32s(builder, [-1 if item is None else index[id(item)] for item in operation.inputs])
    outputs = _int32s(builder, [index[id(item)] for item in operation.outputs])
    slots = [
        _uint32(0, codes.index((operation.operator, operation.version))),
        _offset(1, inputs),
        _offset(2, outputs),
    ]
    if operation.options_type is not OptionsUnion.NONE:
        options = _table(builder, [_scalar(option) for option in operation.options])
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
