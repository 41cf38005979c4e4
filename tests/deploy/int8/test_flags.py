"""The flags of int8 exports: every contradiction is named, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.int8.flags import DEFAULT_METHOD, IMPROVEMENTS, METHODS, MODES, STYLES, TARGETS, Int8Flags, check
from condmix.exporters.quantize import select
from condmix.exporters.quantize.improve import improve
from condmix.exporters.quantize.onnx import options as onnx_options
from condmix.exporters.quantize.tflite import options as tflite_options

BOTH = ("onnx", "tflite")


def problems(
    formats: tuple[str, ...] = BOTH, *, int8: bool = True, typed: tuple[str, ...] = (), **flags: object
) -> str:
    with pytest.raises(PlanError) as caught:
        check(Int8Flags(**flags), formats, typed, int8=int8)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_words_are_those_of_the_exporters() -> None:
    """They are written twice so that --help need not import the exporters."""
    assert set(METHODS) == set(select.METHODS)
    assert select.DEFAULT_METHOD == DEFAULT_METHOD
    assert set(IMPROVEMENTS) == {*improve.IMPROVEMENTS, "none"}
    assert onnx_options.INT8_STYLES == STYLES
    assert onnx_options.TARGETS == TARGETS
    assert tflite_options.INT8_MODES == MODES


def test_images_to_calibrate_on_are_enough() -> None:
    check(Int8Flags(calib="images"), BOTH, ("calib",), int8=True)
    check(Int8Flags(ranges=Path("a.ranges.json"), evaluate="labelled"), BOTH, ("ranges", "evaluate"), int8=True)
    check(Int8Flags(), BOTH, (), int8=False)
    check(Int8Flags(int8_mode="weights"), ("tflite",), ("int8_mode",), int8=True)


def test_int8_needs_images_or_ranges() -> None:
    assert "--int8 needs images to calibrate on: add --calib FOLDER" in problems()
    assert "--ranges alone leaves no images to judge the files on" in problems(ranges=Path("a.ranges.json"))


def test_flags_of_int8_without_int8_are_all_named() -> None:
    text = problems(int8=False, typed=("calib", "max_drop", "opset"), calib="images", max_drop=0.1)
    assert "--calib is about int8 files: add --int8" in text
    assert "--max-drop is about int8 files: add --int8" in text
    assert "opset" not in text


def test_flags_of_the_other_format() -> None:
    text = problems(("tflite",), typed=("target", "int8_style"), calib="images", target="arm")
    assert "--target is about ONNX files: leave it out, or add onnx to --format" in text
    assert "--int8-style is about ONNX files" in text
    text = problems(("onnx",), typed=("int8_mode",), calib="images", int8_mode="int16")
    assert "--int8-mode is about TFLite files: leave it out, or add tflite to --format" in text


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"calib": "random"}, "or add --allow-random-calibration"),
        ({"calib": "images", "allow_random_calibration": True}, "changes nothing without --calib random"),
        ({"calib": "images", "max_drop": 0.01}, "--max-drop needs labelled images to hold it on: add --evaluate"),
        ({"calib": "images", "io_dtype": "uint8"}, "--io-dtype uint8 is an ONNX choice"),
        ({"calib": "images", "improve": ("bias", "none")}, "--improve none contradicts the other improvements"),
        ({"ranges": Path("a"), "evaluate": "b", "improve": ("rounding",)}, "--improve rounding looks at images"),
        ({"ranges": Path("a"), "calib": "b", "calib_method": "mse"}, "leave --calib-method out"),
    ],
)
def test_contradictions(flags: dict[str, object], said: str) -> None:
    assert said in problems(**flags)  # type: ignore[arg-type]
