"""Rounded weights are given room, and nothing else is."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.tolerance import Tolerance
from tests.deploy.conftest import FLOAT32

HALF = TfliteOptions(precision="float16")
INT8 = TfliteOptions(experts="int8")


@pytest.mark.parametrize(
    ("options", "name"),
    [(None, "float32"), (TfliteOptions(), "float32_tflite"), (HALF, "float16_weights"), (INT8, "int8_experts")],
)
def test_the_default_is_that_of_how_the_weights_are_stored(options: TfliteOptions | None, name: str) -> None:
    found = tolerances_for(FormatChoices(onnx=ExportOptions(), tflite=options), None)
    assert (found.float32, found.tflite, found.notes) == (FLOAT32, Tolerance.for_precision(name), ())


def test_one_that_is_asked_for_holds_everywhere_in_float32() -> None:
    found = tolerances_for(FormatChoices(onnx=ExportOptions(), tflite=TfliteOptions()), 1e-3)
    assert found.float32 == found.tflite == dataclasses.replace(FLOAT32, relative=1e-3)
    assert found.notes == ()


def test_with_rounded_weights_it_holds_for_the_tflite_file_alone() -> None:
    alone = tolerances_for(FormatChoices(onnx=None, tflite=INT8), 1e-1)
    assert alone.float32 == FLOAT32
    assert alone.tflite == dataclasses.replace(Tolerance.for_precision("int8_experts"), relative=1e-1)
    assert alone.notes == ()
    both = tolerances_for(FormatChoices(onnx=ExportOptions(), tflite=HALF), 1e-1)
    assert both.notes == (
        "--tolerance 0.1 is for the TFLite file, whose weights are rounded; the ONNX file was held to 2e-05",
    )


def test_int8_experts_in_both_formats_have_their_room_in_both() -> None:
    room = Tolerance.for_precision("int8_experts")
    found = tolerances_for(FormatChoices(onnx=ExportOptions(experts="int8"), tflite=INT8), None)
    assert (found.float32, found.onnx, found.tflite) == (FLOAT32, room, room)
    asked = tolerances_for(FormatChoices(onnx=ExportOptions(experts="int8"), tflite=INT8), 1e-1)
    assert asked.float32 == FLOAT32
    assert asked.onnx == asked.tflite == dataclasses.replace(room, relative=1e-1)
    assert asked.notes == ()


def test_an_impossible_one_is_refused() -> None:
    with pytest.raises(InvalidSettingError):
        tolerances_for(FormatChoices(onnx=None, tflite=HALF), float("nan"))


def test_files_with_int8_banks_are_held_to_no_tolerance_unless_one_is_asked_for() -> None:
    both = FormatChoices(onnx=ExportOptions(experts="int8"), tflite=INT8)
    found = tolerances_for(both, None)
    assert found.by_agreement == {"onnx", "tflite"}
    assert (found.of_file("onnx"), found.of_file("tflite")) == (None, None)
    asked = tolerances_for(both, 1e-1)
    assert asked.by_agreement == set()
    assert asked.of_file("onnx") == asked.onnx
    assert asked.of_file("tflite") == asked.tflite


def test_a_file_for_one_machine_and_float16_keep_their_tolerance() -> None:
    """The first holds its banks in an order of its own, so that nobody can compare their numbers."""
    found = tolerances_for(FormatChoices(onnx=ExportOptions(experts="int8", condconv="blocked"), tflite=HALF), None)
    assert found.by_agreement == set()
    assert found.of_file("tflite") == found.tflite
