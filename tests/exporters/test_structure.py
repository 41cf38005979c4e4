"""Taking a result apart: tensors in order, None as nothing, names from keys and fields, everything else told."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch

from condmix.exporters.structure import located_tensors, names_of, tensors_of

A, B, C = (torch.full((1, size), float(size)) for size in (1, 2, 3))


class Pair(NamedTuple):
    scores: torch.Tensor
    maps: list[torch.Tensor]


@dataclass
class Record:
    boxes: torch.Tensor
    extra: torch.Tensor | None = None


def places(result: object) -> list[tuple[str | int, ...]]:
    return [path for path, _ in located_tensors(result)]


def test_tensors_come_in_the_order_of_the_result() -> None:
    result = (A, OrderedDict(b=[B, None, {"c": C}]), None)
    assert tensors_of(result) == [A, B, C]
    assert places(result) == [(0,), (1, "b", 0), (1, "b", 2, "c")]


def test_fields_and_keys_are_places() -> None:
    assert places(Pair(A, [B, C])) == [("scores",), ("maps", 0), ("maps", 1)]
    assert places(Record(A)) == [("boxes",)]
    assert places({3: A}) == [("3",)]
    assert places(A) == [()]


def test_every_place_without_a_tensor_is_told() -> None:
    with pytest.raises(TypeError) as caught:
        located_tensors({"a": A, "b": [1.0, "text"]})
    assert str(caught.value) == (
        "the result at b.0 is of type float; the result at b.1 is of type str: expected tensors, or None for nothing"
    )


def test_a_result_without_tensors_is_told() -> None:
    with pytest.raises(TypeError, match="nothing was returned"):
        located_tensors({"a": None})


def test_names_are_keys_joined_and_lists_are_counted() -> None:
    assert names_of(places({"logits": A, "features": [B, {"deep": C}]})) == ("logits", "features_0", "features_1_deep")
    assert names_of(places((A, {"b": B}))) == (None, "output1_b")
    assert names_of(places([A])) == (None,)
    assert names_of([()]) == (None,)


def test_names_that_meet_are_told_apart() -> None:
    assert names_of([("a", 0), ("a_0",), ("b",)]) == ("a_0", "a_0_2", "b")
