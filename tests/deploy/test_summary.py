"""The closing words, from records."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome, FileOutcome
from condmix.deploy.second_runtime import SecondOpinion
from condmix.deploy.summary import failure_text, layer_lines, parity_lines, summarise
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.build import Build
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerKind, LayerRecord, RewriteStep
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import EXACT_STAGE, STAGE
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact, Format, Precision
from condmix.runtime.signature import Signature, TensorSpec
from tests.deploy.conftest import failing

LOGITS = TensorSpec(name="logits", shape=(1, 10), dtype="float32")


def _layer(kind: LayerKind, path: str, form: str | None, *, recognised: bool = True, why: str = "") -> LayerRecord:
    return LayerRecord(
        path=path, kind=kind, recognised=recognised, form=form, why=why, details={}, multiply_adds=0, weight_bytes=0
    )


def _artifact(format_name: str, size_bytes: int) -> Artifact:
    return Artifact(
        format=Format(format_name),
        precision=Precision.FLOAT32,
        path=Path(f"net.{format_name}"),
        sha256="0123456789abcdef" * 4,
        size_bytes=size_bytes,
        signature=Signature(inputs=(), outputs=(LOGITS,)),
        parent_sha256=None,
        produced_by="a test",
    )


@pytest.fixture
def onnx_file(built: Build, verified: Verification) -> FileOutcome:
    """An ONNX file whose figures are known."""
    return FileOutcome(
        artifact=_artifact("onnx", 1_234_567),
        options=ExportOptions(),
        opset=18,
        layers=built.layers,
        steps=built.steps,
        verification=verified,
    )


@pytest.fixture
def tflite_file(tflite_built: TfliteBuild, tflite_verified: Verification) -> FileOutcome:
    """A TFLite file of the same network."""
    return FileOutcome(
        artifact=_artifact("tflite", 345_678),
        options=TfliteOptions(),
        opset=None,
        layers=tflite_built.shared.layers,
        steps=tflite_built.shared.steps,
        verification=tflite_verified,
        second_runtime=SecondOpinion(compatible=None, said="nobody asked"),
    )


@pytest.fixture
def outcome(network: LoadedNetwork, onnx_file: FileOutcome) -> ExportOutcome:
    """An outcome whose figures are known, of one ONNX file."""
    return ExportOutcome(
        plan=_plan(FormatChoices(onnx=ExportOptions(), tflite=None)),
        network=network,
        files=(onnx_file,),
        record_path=Path("net.condmix.json"),
        notes=("assumed mean 0.5",),
        seconds={"load": 0.25, "capture": 3.0, "verify": 1.0, "write": 0.5},
        peak_memory_bytes=657_000_000,
    )


@pytest.fixture
def both(outcome: ExportOutcome, onnx_file: FileOutcome, tflite_file: FileOutcome) -> ExportOutcome:
    """The same of an ONNX and a TFLite file."""
    plan = _plan(FormatChoices(onnx=ExportOptions(), tflite=TfliteOptions()))
    return dataclasses.replace(outcome, plan=plan, files=(onnx_file, tflite_file))


def _plan(choices: FormatChoices) -> Plan:
    return Plan(
        loading=Loading(model=Path("net.pt")),
        output=output_names(Path("net.pt"), None, choices),
        choices=choices,
        tolerances=tolerances_for(choices, None),
        images=None,
        overwrite=False,
        command_line=(),
    )


def _with_file(outcome: ExportOutcome, index: int, **changes: object) -> ExportOutcome:
    files = list(outcome.files)
    files[index] = dataclasses.replace(files[index], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(outcome, files=tuple(files))


def test_every_section_with_its_facts(outcome: ExportOutcome) -> None:
    lines = summarise(outcome).splitlines()
    assert lines[0].endswith("condconv_digits  1x1x32x32  12 CondConv layers")
    found = {line[1:10].strip(): line[10:] for line in lines[1:] if line[1] != " "}
    assert list(found) == ["layers", "rewrite", "onnx", "parity", "note", "record", "time", "next"]
    assert found["layers"] == "CondConv  kernel x8 | experts x4"
    assert "fold_batchnorm_into_condconv x12" in found["rewrite"]
    assert found["onnx"] == "net.onnx  1.2 MB  opset 18  input NCHW  sha256 0123456789ab"
    assert found["parity"].startswith("[ok] final vs PyTorch float64  max|d| ")
    assert "limit 2.0e-05" in found["parity"]
    assert "(PyTorch's own float32: " in found["parity"]
    assert found["note"] == "assumed mean 0.5"
    assert found["record"] == "net.condmix.json"
    assert found["time"] == "4.8 s (capture 3.0, verify 1.0, write 0.5); peak memory 657.0 MB"
    assert found["next"] == "condmix inspect net.onnx"
    assert lines[-1].strip() == "view the graph: https://netron.app"
    assert "[ok] every stage before: captured, named, rewritten" in summarise(outcome)
    assert "on 5 images, which move the routing of every block by " in summarise(outcome)


def test_detail_adds_reasons(outcome: ExportOutcome) -> None:
    declined = RewriteStep(rule="fold", path="blocks.9", applied=False, note="its output is read twice")
    steps = (*outcome.files[0].steps, declined)
    detailed = summarise(_with_file(outcome, 0, steps=steps), in_detail=True)
    assert "declined fold at blocks.9: its output is read twice" in detailed
    assert "blocks.2.expand: kernel: one image" in detailed


def test_a_network_with_nothing_to_rewrite_says_so(outcome: ExportOutcome) -> None:
    text = summarise(_with_file(outcome, 0, layers=(), steps=()))
    assert text.splitlines()[0].endswith("nothing to rewrite")
    assert "no CondConv and no MixConv was found: exported as an ordinary network" in text
    assert " rewrite  nothing to rewrite" in text


def test_layers_left_alone_are_named_with_their_reasons() -> None:
    layers = [
        _layer(LayerKind.COND_CONV, "a", "kernel"),
        _layer(LayerKind.MIX_CONV, "b", "hoisted"),
        _layer(LayerKind.MIX_CONV, "c", "hoisted"),
        *(_layer(LayerKind.COND_CONV, f"film{i}", None, recognised=False, why=f"reason {i}") for i in range(5)),
    ]
    assert layer_lines(layers) == [
        "CondConv  kernel x1",
        "MixConv  hoisted x2",
        "left alone: film0 (CondConv): reason 0",
        "left alone: film1 (CondConv): reason 1",
        "left alone: film2 (CondConv): reason 2",
        "left alone: 2 more, each with its reason in the record",
    ]


def test_a_stage_before_the_last_has_no_forms() -> None:
    assert layer_lines([_layer(LayerKind.COND_CONV, "a", None)]) == ["CondConv  named only x1"]


def test_a_failure_names_stage_worst_element_limit_and_module(outcome: ExportOutcome, verified: Verification) -> None:
    failed = _with_file(outcome, 0, verification=failing(verified))
    assert not failed.passed
    text = failure_text(failed)
    assert "stage final: max|d| 2.0e-03 of the largest value, limit 2.0e-05, at [" in text
    assert "first module beyond tolerance: blocks.2 (stage final)" in text
    assert "net.onnx was not touched" in text
    assert parity_lines(failed.files[0].verification)[0].startswith("[failed] final")


def test_both_files_have_their_sections_and_the_tflite_file_says_more(both: ExportOutcome) -> None:
    lines = summarise(both).splitlines()
    labels = [line[1:10].strip() for line in lines[1:] if line[1] != " "]
    of_onnx, of_tflite = ["layers", "rewrite", "onnx", "parity"], ["layers", "rewrite", "tflite", "parity"]
    assert labels == [*of_onnx, *of_tflite, "delegate", "older", "note", "record", "time", "next"]
    text = summarise(both)
    assert "CondConv  matmul x8 | depthwise x4" in text
    assert "net.tflite  345.7 kB  weights float32  input NHWC  sha256 0123456789ab" in text
    assert "[ok] delegate on vs PyTorch float64  max|d| " in text
    assert "[ok] builtin kernels only vs PyTorch float64  max|d| " in text
    assert re.search(
        r"^ delegate XNNPACK takes \d+ of \d+ operators in 5 parts; not: DEPTHWISE_CONV_2D x4$", text, re.M
    )
    assert " older    tflite-runtime: not checked: nobody asked" in text
    assert "condmix inspect net.tflite" in text


def test_the_worst_number_of_threads_is_shown(tflite_verified: Verification) -> None:
    stages = list(tflite_verified.stages)
    place = next(i for i, item in enumerate(stages) if item.stage == STAGE and item.threads == 2)
    worst = failing(tflite_verified).blame
    assert worst is not None
    stages[place] = dataclasses.replace(stages[place], report=worst.report)
    lines = parity_lines(dataclasses.replace(tflite_verified, stages=tuple(stages)))
    assert lines[0].startswith("[failed] delegate on vs PyTorch float64  max|d| ")
    assert lines[1].startswith("[ok] builtin kernels only")


def test_rounded_weights_are_shown_beside_unrounded_ones(both: ExportOutcome) -> None:
    stages = both.files[1].verification.stages
    exact = dataclasses.replace(stages[-1], stage=EXACT_STAGE, delegate=True, threads=1)
    verification = dataclasses.replace(both.files[1].verification, stages=(*stages[:-4], exact, *stages[-4:]))
    options = TfliteOptions(precision="float16", experts="int8", layout="nchw")
    text = summarise(_with_file(both, 1, verification=verification, options=options))
    assert "weights float16, experts int8  input NCHW" in text
    assert "[ok] the same with unrounded weights vs PyTorch float64  max|d| " in text
    assert text.count("[ok] every stage before: captured, named, rewritten\n") == 2


def test_one_rejected_file_of_two_is_told_beside_the_good_one(
    both: ExportOutcome, tflite_verified: Verification
) -> None:
    failed = _with_file(both, 1, verification=failing(tflite_verified))
    assert not failed.passed
    text = failure_text(failed)
    assert text.startswith("net.onnx has passed and was written.\nthe TFLite file does not compute what PyTorch ")
    assert "stage tflite, delegate on, 1 thread: max|d| " in text
    assert "net.tflite was not touched" in text
