"""Where an export writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.output_names import OutputNames, marked_names, output_names, records_beside, weights_stem
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions


def _named(
    source: str, output: str | Path | None = None, *, onnx: str | None = "final", tflite: TfliteOptions | None = None
) -> OutputNames:
    choices = FormatChoices(onnx=None if onnx is None else ExportOptions(stage=onnx), tflite=tflite)
    return output_names(Path(source), None if output is None else Path(output), choices)


def test_beside_the_weights_by_default() -> None:
    names = _named("a/net.pt")
    assert [path.as_posix() for path in names.all] == [
        "a/net.onnx",
        "a/net.condmix.json",
        "a/net.reference.npz",
        "a/net.rejected.onnx",
        "a/net.rejected.condmix.json",
        "a/net.rejected.reference.npz",
    ]


def test_an_earlier_stage_shows_in_the_default_name_only() -> None:
    assert _named("net.pt", onnx="named").models == {"onnx": Path("net.named.onnx")}
    assert _named("net.pt", "x.onnx", onnx="named").models == {"onnx": Path("x.onnx")}


def test_a_folder_takes_the_default_name(tmp_path: Path) -> None:
    assert _named("a/net.pt", tmp_path).record == tmp_path / "net.condmix.json"


@pytest.mark.parametrize("output", ["net", "net.tflite", "net.onnx.zip", ".onnx"])
def test_a_name_that_is_not_onnx_is_refused(output: str) -> None:
    with pytest.raises(PlanError, match=r"does not end in \.onnx"):
        _named("net.pt", output)


def test_the_weights_file_itself_is_never_the_output() -> None:
    with pytest.raises(PlanError, match="is the weights file itself"):
        _named("net.onnx", "net.onnx")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("net.pt", "net"),
        ("net.pth.tar", "net"),
        ("net.safetensors", "net"),
        ("mixnet_s.ft_in1k", "mixnet_s.ft_in1k"),
        ("mixnet_s.v2.bin", "mixnet_s.v2"),
        ("NET.PT", "NET"),
        (".pt", ".pt"),
    ],
)
def test_only_what_says_weights_is_taken_off(name: str, stem: str) -> None:
    assert weights_stem(Path("folder.pt") / name) == stem


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (TfliteOptions(), "net"),
        (TfliteOptions(precision="float16"), "net_float16"),
        (TfliteOptions(experts="float16"), "net_float16experts"),
        (TfliteOptions(experts="int8"), "net_int8experts"),
        (TfliteOptions(precision="float16", experts="int8"), "net_float16_int8experts"),
        (TfliteOptions(precision="float16", experts="float16"), "net_float16"),
    ],
)
def test_rounded_weights_show_in_the_default_name(options: TfliteOptions, name: str) -> None:
    names = _named("a/net.pt", onnx=None, tflite=options)
    assert names.models == {"tflite": Path(f"a/{name}.tflite")}
    assert names.record == Path(f"a/{name}.condmix.json")
    assert _named("a/net.pt", "b/x.tflite", onnx=None, tflite=options).models == {"tflite": Path("b/x.tflite")}


def test_two_formats_share_one_record() -> None:
    names = _named("net.pt", tflite=TfliteOptions(experts="int8"))
    assert [path.as_posix() for path in names.all] == [
        "net.onnx",
        "net_int8experts.tflite",
        "net.condmix.json",
        "net.reference.npz",
        "net.rejected.onnx",
        "net_int8experts.rejected.tflite",
        "net.rejected.condmix.json",
        "net.rejected.reference.npz",
    ]


@pytest.mark.parametrize(
    ("output", "onnx", "tflite"),
    [("x.onnx", "x.onnx", "x_float16.tflite"), ("y/x.tflite", "y/x.onnx", "y/x.tflite")],
)
def test_of_two_formats_the_one_that_is_not_named_lies_beside_the_other(output: str, onnx: str, tflite: str) -> None:
    names = _named("net.pt", output, tflite=TfliteOptions(precision="float16"))
    assert names.models == {"onnx": Path(onnx), "tflite": Path(tflite)}
    assert names.record.name == "x.condmix.json"


def test_the_suffix_must_be_of_a_format_that_is_written() -> None:
    with pytest.raises(PlanError, match=r"--format tflite writes NAME\.tflite and NAME\.condmix\.json"):
        _named("net.pt", "x.onnx", onnx=None, tflite=TfliteOptions())
    with pytest.raises(PlanError, match=r"does not end in \.onnx or \.tflite"):
        _named("net.pt", "x", tflite=TfliteOptions())


@pytest.mark.parametrize("stage", ["final", "named", "rewritten"])
@pytest.mark.parametrize("options", [None, TfliteOptions(), TfliteOptions(precision="float16", experts="int8")])
def test_the_record_of_every_file_is_found_beside_it(stage: str, options: TfliteOptions | None) -> None:
    for onnx in (stage, None) if options is not None else (stage,):
        names = _named("net.pt", onnx=onnx, tflite=options)
        for format_name, model in names.models.items():
            assert names.record in records_beside(model)
            assert names.record in records_beside(names.rejected_model(format_name))
            assert names.rejected_record in records_beside(names.rejected_model(format_name))


def test_a_files_own_record_comes_first() -> None:
    assert [path.name for path in records_beside(Path("a/net_float16.tflite"))] == [
        "net_float16.condmix.json",
        "net.condmix.json",
    ]


def test_a_typed_name_that_carries_the_mark_is_not_marked_twice(tmp_path: Path) -> None:
    marks = {"onnx": "_int8", "tflite": "_int8"}
    names = marked_names(tmp_path / "net.pt", tmp_path / "mine_int8.onnx", marks, record_mark="_int8")
    assert [path.name for path in names.models.values()] == ["mine_int8.onnx", "mine_int8.tflite"]
    assert names.record.name == "mine_int8.condmix.json"
    names = marked_names(tmp_path / "net.pt", tmp_path / "mine.onnx", marks, record_mark="_int8")
    assert [path.name for path in names.models.values()] == ["mine.onnx", "mine_int8.tflite"]
    assert names.record.name == "mine_int8.condmix.json"
