"""Records are plain data, and the share of int8 is counted in multiply-adds."""

from __future__ import annotations

import onnx

from condmix.exporters.quantize.onnx.records import Int8Build, Int8Kind, Int8Layer


def layer(path: str, *, int8: bool, multiply_adds: int) -> Int8Layer:
    return Int8Layer(
        path=path,
        output_name=f"{path}_out",
        kind=Int8Kind.CONV,
        int8=int8,
        form="conv",
        why="because",
        multiply_adds=multiply_adds,
        weight_bytes=7,
    )


def build(*layers: Int8Layer) -> Int8Build:
    return Int8Build(proto=onnx.ModelProto(), float_proto=onnx.ModelProto(), layers=layers)


def test_the_share_weighs_layers_by_their_work() -> None:
    made = build(layer("a", int8=True, multiply_adds=30), layer("b", int8=False, multiply_adds=10))
    assert made.int8_share == 0.75


def test_a_network_without_layers_has_no_share() -> None:
    assert build().int8_share == 0.0


def test_as_plain_data() -> None:
    assert layer("a", int8=True, multiply_adds=30).to_dict() == {
        "path": "a",
        "output_name": "a_out",
        "kind": "Conv",
        "int8": True,
        "form": "conv",
        "why": "because",
        "multiply_adds": 30,
        "weight_bytes": 7,
    }
