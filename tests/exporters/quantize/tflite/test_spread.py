"""Ranges follow what moves elements: forwards always, backwards where nothing is lost, never through arithmetic."""

from __future__ import annotations

import numpy as np

from condmix.exporters.quantize.ranges import Range
from condmix.exporters.quantize.tflite.spread import spread_ranges
from condmix.exporters.tflite.emitter import Emitter
from condmix.exporters.tflite.model import Tensor, TfliteModel
from condmix.exporters.tflite.schema import Operator, TensorType

ONE, TWO = Range(low=-1.0, high=1.0), Range(low=0.0, high=2.0)


def image(name: str) -> Tensor:
    return Tensor(name=name, shape=(1, 4, 4, 2), type=TensorType.FLOAT32)


def model_of(emitter: Emitter, *inputs: Tensor) -> TfliteModel:
    return TfliteModel(
        description="",
        operations=tuple(emitter.operations),
        inputs=inputs,
        outputs=emitter.operations[-1].outputs,
        signature_inputs=tuple(item.name for item in inputs),
        signature_outputs=("y",),
    )


def test_a_slice_has_its_sources_range() -> None:
    emitter, x = Emitter(), image("x")
    piece = emitter.slice(x, (0, 0, 0, 0), (1, 2, 4, 2))
    padded = emitter.pad(piece, [(0, 0), (1, 1), (0, 0), (0, 0)])
    found = spread_ranges(model_of(emitter, x), {id(x): ONE})
    assert (found[id(piece)], found[id(padded)]) == (ONE, ONE)


def test_a_source_has_more_than_its_slice() -> None:
    emitter, x = Emitter(), image("x")
    piece = emitter.slice(x, (0, 0, 0, 0), (1, 2, 4, 2))
    assert id(x) not in spread_ranges(model_of(emitter, x), {id(piece): ONE})


def test_what_is_joined_has_no_larger_numbers_than_the_whole() -> None:
    emitter, x, y = Emitter(), image("x"), image("y")
    whole = emitter.concat([x, y], 3)
    assert spread_ranges(model_of(emitter, x, y), {id(whole): TWO})[id(y)] == TWO
    assert spread_ranges(model_of(emitter, x, y), {id(x): ONE, id(y): TWO})[id(whole)] == ONE.joined(TWO)
    assert id(whole) not in spread_ranges(model_of(emitter, x, y), {id(x): ONE})


def test_what_is_known_is_kept() -> None:
    emitter, x = Emitter(), image("x")
    piece = emitter.slice(x, (0, 0, 0, 0), (1, 2, 4, 2))
    assert spread_ranges(model_of(emitter, x), {id(x): ONE, id(piece): TWO})[id(piece)] == TWO


def test_nothing_is_known_behind_a_sum() -> None:
    emitter, x = Emitter(), image("x")
    total = emitter.binary(Operator.ADD, x, x, "sum")
    assert id(total) not in spread_ranges(model_of(emitter, x), {id(x): ONE})


def test_a_border_of_minus_infinity_is_no_number() -> None:
    emitter, x = Emitter(), image("x")
    border = np.full((1, 1, 4, 2), np.finfo(np.float32).min)
    whole = emitter.concat([emitter.constant(border, "border"), x], 1)
    assert spread_ranges(model_of(emitter, x), {id(x): ONE})[id(whole)] == ONE
    ordinary = emitter.concat([emitter.constant(np.full((1, 1, 4, 2), 5.0, dtype=np.float32), "border"), x], 1)
    assert spread_ranges(model_of(emitter, x), {id(x): ONE})[id(ordinary)] == Range(low=-1.0, high=5.0)
