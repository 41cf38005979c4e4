"""Constructs from the record of an export."""

from __future__ import annotations

import pytest

from condmix.runtime.artifact import Format
from condmix.runtime.profile.constructs import constructs_of

RECORD = {
    "artifacts": [
        {
            "artifact": {"format": "onnx"},
            "layers": [
                {"path": "a", "kind": "CondConv", "recognised": True},
                {"path": "b", "kind": "MixConv", "recognised": False},
            ],
        },
        {"artifact": {"format": "tflite"}, "layers": [{"path": "c", "kind": "MixConv", "recognised": True}]},
    ]
}


def test_recognised_layers_of_the_file_are_told():
    assert constructs_of(RECORD, Format.ONNX) == {"a": "CondConv"}
    assert constructs_of(RECORD, Format.TFLITE) == {"c": "MixConv"}


@pytest.mark.parametrize("record", [None, {}, {"artifacts": 3}, {"artifacts": [3, {"artifact": "x", "layers": []}]}])
def test_a_record_of_another_shape_tells_nothing(record):
    assert constructs_of(record, Format.ONNX) == {}
