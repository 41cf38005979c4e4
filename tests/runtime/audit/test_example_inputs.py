"""Inputs for files of anybody."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.signature import Signature, TensorSpec


def signature(**inputs: tuple[tuple[int | str, ...], str]) -> Signature:
    specs = tuple(TensorSpec(name=name, shape=shape, dtype=dtype) for name, (shape, dtype) in inputs.items())
    return Signature(inputs=specs, outputs=(TensorSpec(name="y", shape=(1,), dtype="float32"),))


def test_numbers_by_dtype_the_same_at_every_call():
    wanted = signature(x=((1, 400), "float32"), q=((400,), "int8"), u=((400,), "uint8"), i=((3,), "int64"))
    first, second = example_inputs(wanted, {}), example_inputs(wanted, {})
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert first["x"].dtype == np.float32
    assert 0 <= first["x"].min() < 0.1
    assert 0.9 < first["x"].max() < 1
    assert (first["q"].min(), first["q"].max()) == (-128, 127)
    assert (first["u"].min(), first["u"].max()) == (0, 255)
    assert first["i"].tolist() == [0, 0, 0]


def test_a_free_first_axis_is_one_and_others_are_asked_for():
    wanted = signature(x=(("n", 3, "h", "w"), "float32"))
    assert example_inputs(wanted, {"x": (2, 3, 8, 9)})["x"].shape == (2, 3, 8, 9)
    assert example_inputs(signature(x=(("n", 3), "float32")), {})["x"].shape == (1, 3)
    assert example_inputs(signature(x=((), "float32")), {})["x"].shape == ()


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        ({}, "the shape of 'x' is nx3xhx9 in the file: give one that fits"),
        ({"x": (1, 4, 8, 9)}, "the shape of 'x' is nx3xhx9 in the file, asked for 1x4x8x9: give one that fits"),
        ({"x": (1, 3, 8)}, "the shape of 'x' is nx3xhx9 in the file, asked for 1x3x8: give one that fits"),
        ({"x": (1, 3, 8, 9), "z": (1,)}, "unknown name 'z': known are 'x'"),
    ],
)
def test_shapes_that_do_not_fit(shapes: dict, problem: str):
    with pytest.raises(InvalidSettingError) as caught:
        example_inputs(signature(x=(("n", 3, "h", 9), "float32")), shapes)
    assert caught.value.problems == (problem,)
