"""Stored tensors get short names that nothing else has; computed ones and what is stored stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from condmix.exporters.build import Prepared
from condmix.exporters.quantize.tflite.names import with_short_names
from condmix.exporters.quantize.tflite.observation import float_twin
from condmix.exporters.tflite.model import Tensor, TfliteModel
from condmix.exporters.tflite.schema import TensorType


def names(model: TfliteModel, *, stored: bool) -> list[str]:
    return [item.name for item in model.tensors() if (item.data is not None) is stored]


def test_stored_tensors_are_numbered_and_computed_ones_keep_their_names(both: Prepared) -> None:
    model = float_twin(both, batch=1, layout="nhwc", metadata={}).model
    short = with_short_names(model)
    assert names(short, stored=False) == names(model, stored=False)
    found = names(short, stored=True)
    assert len(found) == len(names(model, stored=True)) == len(set(found))
    assert {name[0] for name in found} == {"w", "b", "c"}
    assert {"w1", "b1", "c1"} <= set(found)
    assert max(map(len, found)) <= 4
    for old, new in zip(model.tensors(), short.tensors(), strict=True):
        assert (old.shape, old.type, old.quantization) == (new.shape, new.type, new.quantization)
        assert (old.data is None and new.data is None) or np.array_equal(old.data, new.data)  # type: ignore[arg-type]


def test_one_tensor_that_is_read_twice_stays_one(both: Prepared) -> None:
    model = float_twin(both, batch=1, layout="nhwc", metadata={}).model
    assert len(with_short_names(model).tensors()) == len(model.tensors())


def test_a_name_of_the_network_is_not_taken_again(both: Prepared) -> None:
    model = float_twin(both, batch=1, layout="nhwc", metadata={}).model
    taken = Tensor(name="w1", shape=(1, 8), type=TensorType.FLOAT32)
    first = model.operations[0]
    clashing = replace(first, outputs=(*first.outputs, taken))
    found = names(with_short_names(replace(model, operations=(clashing, *model.operations[1:]))), stored=True)
    assert "w1" not in found
    assert "w2" in found
