"""Impossible choices are refused together, each named."""

from __future__ import annotations

import pytest

from condmix.exporters.errors import OptionsError
from condmix.exporters.quantize.tflite.options import INT8_MODES, TfliteInt8Options


def test_what_is_chosen_by_default() -> None:
    options = TfliteInt8Options()
    assert (options.mode, options.io_dtype, options.layout, options.batch) == ("full", "float32", "nhwc", 1)
    assert options.float_layers == frozenset()


def test_all_faults_at_once() -> None:
    with pytest.raises(OptionsError) as refusal:
        TfliteInt8Options(batch=0, mode="int4", layout="chwn", io_dtype="uint8")
    assert str(refusal.value) == (
        "mode is 'int4': expected one of full, dynamic, weights, int16; "
        "layout is 'chwn': expected one of nhwc, nchw; "
        "io_dtype is 'uint8': expected one of float32, int8; "
        "batch is 0: expected at least 1"
    )


@pytest.mark.parametrize("mode", [mode for mode in INT8_MODES if mode != "full"])
def test_int8_ends_need_int8_activations(mode: str) -> None:
    with pytest.raises(OptionsError, match=f"io_dtype int8 needs mode full: mode {mode} has no int8 activations"):
        TfliteInt8Options(mode=mode, io_dtype="int8")
    assert TfliteInt8Options(io_dtype="int8").io_dtype == "int8"


def test_modes_with_stored_activations_need_ranges() -> None:
    assert [mode for mode in INT8_MODES if TfliteInt8Options(mode=mode).needs_ranges] == ["full", "int16"]
