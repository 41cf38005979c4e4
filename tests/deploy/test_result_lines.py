"""Outputs in words: nothing of a plain classifier, a line for each of any other network."""

from __future__ import annotations

from pathlib import Path

from condmix.deploy.result_lines import output_lines
from condmix.runtime.artifact import Artifact, Format, Precision
from condmix.runtime.signature import Signature, TensorSpec


def artifact(*outputs: TensorSpec) -> Artifact:
    image = TensorSpec(name="input", shape=(1, 3, 8, 8), dtype="float32")
    return Artifact(
        path=Path("a.onnx"), format=Format.ONNX, precision=Precision.FLOAT32, sha256="0" * 64, size_bytes=1,
        signature=Signature(inputs=(image,), outputs=outputs), parent_sha256=None, produced_by="a test",
    )  # fmt: skip


SCORES = TensorSpec(name="scores", shape=(1, 10), dtype="float32")
MAPS = TensorSpec(name="m", shape=(1, 4, 8, 8), dtype="float32", layout="NCHW")


def test_a_plain_classifier_needs_no_words() -> None:
    assert output_lines(artifact(SCORES), {"scores": "classes"}) == []
    assert output_lines(artifact(SCORES), {}) == []


def test_every_other_network_has_a_line_an_output() -> None:
    assert output_lines(artifact(SCORES), {"scores": "labels"}) == ["scores  1x10  labels"]
    assert output_lines(artifact(SCORES, MAPS), {"scores": "classes", "m": "values"}) == [
        "scores  1x10  classes",
        "m       1x4x8x8  NCHW  values",
    ]
