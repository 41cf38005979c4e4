"""The closing words, from records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome
from condmix.deploy.summary import failure_text, file_size, layer_lines, parity_lines, summarise
from condmix.exporters.build import Build
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerKind, LayerRecord, RewriteStep
from condmix.exporters.verify.records import Verification
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact, Format, Precision
from condmix.runtime.signature import Signature, TensorSpec
from tests.deploy.conftest import FLOAT32, failing

LOGITS = TensorSpec(name="logits", shape=(1, 10), dtype="float32")


def _layer(kind: LayerKind, path: str, form: str | None, *, recognised: bool = True, why: str = "") -> LayerRecord:
    return LayerRecord(
        path=path, kind=kind, recognised=recognised, form=form, why=why, details={}, multiply_adds=0, weight_bytes=0
    )


@pytest.fixture
def outcome(network: LoadedNetwork, built: Build, verified: Verification) -> ExportOutcome:
    """An outcome whose figures are known."""
    return ExportOutcome(
        plan=Plan(
            loading=Loading(model=Path("net.pt")),
            output=output_names(Path("net.pt"), None, "final"),
            options=ExportOptions(),
            tolerance=FLOAT32,
            images=None,
            overwrite=False,
            command_line=(),
        ),
        network=network,
        artifact=Artifact(
            format=Format.ONNX,
            precision=Precision.FLOAT32,
            path=Path("net.onnx"),
            sha256="0123456789abcdef" * 4,
            size_bytes=1_234_567,
            signature=Signature(inputs=(), outputs=(LOGITS,)),
            parent_sha256=None,
            produced_by="a test",
        ),
        record_path=Path("net.condmix.json"),
        opset=18,
        layers=built.layers,
        steps=built.steps,
        verification=verified,
        notes=("assumed mean 0.5",),
        seconds={"load": 0.25, "capture": 3.0, "verify": 1.0, "write": 0.5},
        peak_memory_bytes=657_000_000,
    )


def test_every_section_with_its_facts(outcome: ExportOutcome) -> None:
    lines = summarise(outcome).splitlines()
    assert lines[0].endswith("condconv_digits  1x1x32x32  12 CondConv layers")
    found = {line[1:10].strip(): line[10:] for line in lines[1:] if line[1] != " "}
    assert list(found) == ["layers", "rewrite", "onnx", "parity", "note", "record", "time", "next"]
    assert found["layers"] == "CondConv  kernel x8 | experts x4"
    assert "fold_batchnorm_into_condconv x12" in found["rewrite"]
    assert found["onnx"] == "net.onnx  1.2 MB  opset 18  sha256 0123456789ab"
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
    detailed = summarise(dataclasses.replace(outcome, steps=(*outcome.steps, declined)), in_detail=True)
    assert "declined fold at blocks.9: its output is read twice" in detailed
    assert "blocks.2.expand: kernel: one image" in detailed


def test_a_network_with_nothing_to_rewrite_says_so(outcome: ExportOutcome) -> None:
    text = summarise(dataclasses.replace(outcome, layers=(), steps=()))
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
    failed = dataclasses.replace(outcome, verification=failing(verified))
    assert not failed.passed
    text = failure_text(failed)
    assert "stage final: max|d| 2.0e-03 of the largest value, limit 2.0e-05, at [" in text
    assert "first module beyond tolerance: blocks.2 (stage final)" in text
    assert "net.onnx was not touched" in text
    assert parity_lines(failed.verification)[0].startswith("[failed] final")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0.0 kB"), (999, "1.0 kB"), (999_949, "999.9 kB"), (1_000_000, "1.0 MB"), (98_765_432, "98.8 MB")],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert file_size(size_bytes) == text
