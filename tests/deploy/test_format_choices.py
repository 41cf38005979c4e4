"""Which flags speak of which file."""

from __future__ import annotations

import dataclasses

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import FORMATS, FormatFlags, choose_formats
from condmix.exporters.errors import NotExportableError, OptionsError
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions

PLAIN = FormatFlags(opset=18)


def test_each_format_has_its_own_choices() -> None:
    flags = FormatFlags(batch=4, opset=20, condconv="experts", precision="float16", layout="nchw")
    choices = choose_formats(FORMATS, flags)
    assert choices.onnx == ExportOptions(batch=4, opset=20, condconv="experts")
    assert choices.tflite == TfliteOptions(batch=4, precision="float16", layout="nchw", condconv="experts")
    assert choices.notes == ()


def test_a_format_not_asked_for_has_none() -> None:
    assert choose_formats(["onnx"], PLAIN).tflite is None
    assert choose_formats(["tflite"], PLAIN).onnx is None


def test_of_two_files_flags_about_one_are_told() -> None:
    flags = FormatFlags(opset=20, condconv="kernel", mixconv="merged", typed={"opset", "mixconv", "condconv", "batch"})
    choices = choose_formats(FORMATS, flags)
    assert choices.onnx is not None
    assert choices.tflite is not None
    assert (choices.onnx.condconv, choices.tflite.condconv) == ("kernel", "auto")
    assert choices.notes == (
        "for the ONNX file only: --condconv kernel, --opset 20, --mixconv merged; the TFLite file has its own forms",
    )


def test_all_flags_without_a_file_are_refused_at_once() -> None:
    flags = FormatFlags(opset=20, condconv="grouped", typed={"opset", "stage", "mixconv", "condconv"})
    with pytest.raises(PlanError) as caught:
        choose_formats(["tflite"], flags)
    assert len(caught.value.problems) == 4
    assert caught.value.problems[-1] == (
        "--condconv grouped is a form of ONNX files: with --format tflite it can be auto or experts"
    )
    with pytest.raises(PlanError) as caught:
        choose_formats(["onnx"], dataclasses.replace(PLAIN, typed={"precision", "layout"}))
    assert caught.value.problems[0] == "--precision is about TFLite files: leave it out, or add tflite to --format onnx"
    assert len(caught.value.problems) == 2


def test_int8_experts_are_for_both_formats_and_float16_ones_for_tflite() -> None:
    both = choose_formats(FORMATS, dataclasses.replace(PLAIN, experts="int8"))
    assert both.onnx == ExportOptions(experts="int8")
    assert both.tflite == TfliteOptions(experts="int8")
    assert choose_formats(FORMATS, dataclasses.replace(PLAIN, experts="float16")).onnx == ExportOptions()
    with pytest.raises(PlanError, match="--experts float16 is about TFLite files"):
        choose_formats(["onnx"], dataclasses.replace(PLAIN, experts="float16"))


@pytest.mark.parametrize("formats", [["tflite"], FORMATS])
def test_tflite_has_no_form_for_any_number_of_images(formats: list[str]) -> None:
    with pytest.raises(NotExportableError, match=r"TFLite writes all shapes into the file.*\n.*use --batch N"):
        choose_formats(formats, dataclasses.replace(PLAIN, batch=None))
    assert choose_formats(["onnx"], dataclasses.replace(PLAIN, batch=None)).onnx == ExportOptions(batch=None)


def test_contradictions_within_a_format_are_its_own() -> None:
    with pytest.raises(OptionsError, match="has no bank to store as int8"):
        choose_formats(["tflite"], FormatFlags(opset=18, condconv="experts", experts="int8"))
    with pytest.raises(OptionsError, match="--condconv kernel contradicts --batch 4"):
        choose_formats(FORMATS, FormatFlags(opset=18, condconv="kernel", batch=4))


def test_images_in_turn_are_about_onnx_files_of_several_images() -> None:
    flags = FormatFlags(batch=None, opset=18, in_turn=True, typed={"in_turn"})
    onnx = choose_formats(("onnx",), flags).onnx
    assert onnx is not None
    assert (onnx.in_turn, onnx.images_at_once) == (True, 1)
    with pytest.raises(PlanError, match="--in-turn is about ONNX files"):
        choose_formats(("tflite",), dataclasses.replace(flags, batch=2))
    both = choose_formats(("onnx", "tflite"), dataclasses.replace(flags, batch=2))
    assert both.notes == ("for the ONNX file only: --in-turn; the TFLite file has its own forms",)
    with pytest.raises(OptionsError, match="--in-turn is about several images a call"):
        choose_formats(("onnx",), dataclasses.replace(flags, batch=1))
