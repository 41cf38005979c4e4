"""The choices of an export to TFLite: what is impossible is refused at once, naming every field."""

from __future__ import annotations

import pytest

from condmix.exporters.errors import OptionsError
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.tolerance import Tolerance


@pytest.mark.parametrize(
    ("choices", "bank", "tolerance"),
    [
        ({}, "float32", "float32_tflite"),
        ({"experts": "float16"}, "float16", "float16_weights"),
        ({"experts": "int8"}, "int8", "int8_experts"),
        ({"precision": "float16"}, "float16", "float16_weights"),
        ({"precision": "float16", "experts": "int8"}, "int8", "int8_experts"),
        ({"precision": "float16", "condconv": "experts"}, "float16", "float16_weights"),
        ({"batch": 4, "layout": "nchw", "condconv": "experts"}, "float32", "float32_tflite"),
    ],
)
def test_what_is_stored_and_how_far_it_may_be_off(choices: dict[str, object], bank: str, tolerance: str) -> None:
    options = TfliteOptions(**choices)  # type: ignore[arg-type]
    assert (options.bank, options.tolerance_name) == (bank, tolerance)
    assert Tolerance.for_precision(options.tolerance_name).relative < 0.1


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"batch": 0}, "batch is 0: expected at least 1"),
        ({"experts": "int4"}, "experts is 'int4': expected one of float32, float16, int8"),
        ({"precision": "int8"}, "precision is 'int8': expected one of float32, float16"),
        ({"layout": "chwn"}, "layout is 'chwn': expected one of nhwc, nchw"),
        ({"condconv": "matmul"}, "condconv is 'matmul': expected one of auto, experts"),
        (
            {"condconv": "experts", "experts": "int8"},
            "condconv experts has no bank to store as int8: every expert is a convolution of its own",
        ),
        (
            {"precision": "float16", "experts": "float32"},
            "precision float16 stores all weights so: it contradicts experts float32",
        ),
    ],
)
def test_impossible_choices(choices: dict[str, object], text: str) -> None:
    with pytest.raises(OptionsError) as error:
        TfliteOptions(**choices)  # type: ignore[arg-type]
    assert text in str(error.value).split("; ")


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(OptionsError) as error:
        TfliteOptions(batch=-1, layout="?", condconv="?")
    assert str(error.value).count(": expected") == 3
