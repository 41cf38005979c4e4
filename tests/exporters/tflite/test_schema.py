"""Every number that is written is the reference bindings' own."""

from __future__ import annotations

import enum

import flatbuffers  # type: ignore[import-untyped]
import pytest
from ai_edge_litert import schema_py_generated as bindings

from condmix.exporters.tflite.emitter import FUSED_ACTIVATION_SLOT
from condmix.exporters.tflite.schema import (
    FILE_IDENTIFIER,
    SCHEMA_VERSION,
    Activation,
    Operator,
    OptionsUnion,
    Padding,
    TensorType,
)


def plain(name: str) -> str:
    """CONV_2D and Conv2DOptions alike."""
    return name.removesuffix("Options").replace("_", "").lower()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (TensorType, bindings.TensorType),
        (Operator, bindings.BuiltinOperator),
        (Activation, bindings.ActivationFunctionType),
        (Padding, bindings.Padding),
        (OptionsUnion, bindings.BuiltinOptions),
    ],
)
def test_numbers_are_the_bindings(ours: type[enum.IntEnum], theirs: type) -> None:
    known = {plain(name): number for name, number in vars(theirs).items() if not name.startswith("_")}
    assert len(known) > 1
    for member in ours:
        assert known[plain(member.name)] == member, member.name


def test_the_root_is_the_bindings() -> None:
    assert bindings.ModelT().version in (0, SCHEMA_VERSION)
    assert bindings.Model.ModelBufferHasIdentifier(bytes(4) + FILE_IDENTIFIER, 0)


@pytest.mark.parametrize(("union", "slot"), FUSED_ACTIVATION_SLOT.items(), ids=lambda item: getattr(item, "name", item))
def test_activations_lie_in_the_bindings_slot(union: OptionsUnion, slot: int) -> None:
    (name,) = (
        name for name, number in vars(bindings.BuiltinOptions).items() if number == union and not name.startswith("_")
    )
    builder = flatbuffers.Builder(64)
    builder.StartObject(slot + 1)
    builder.PrependInt8Slot(slot, Activation.RELU6, 0)
    builder.Finish(builder.EndObject())
    read = getattr(bindings, f"{name}T").InitFromPackedBuf(bytes(builder.Output()), 0)
    assert read.fusedActivationFunction == bindings.ActivationFunctionType.RELU6
