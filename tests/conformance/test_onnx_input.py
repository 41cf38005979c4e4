"""A stock export of a network is recognised as the network itself is, whichever exporter wrote it, at batch 1 and 3."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import capture
from condmix.exporters.onnx_input.read import read_onnx
from condmix.exporters.options import ExportOptions
from tests.conformance.case import ConformanceCase
from tests.conformance.cases import CASES
from tests.exporters.proven import onnx_proof

QUICK = ("flat_bank", "split_dict_same")
SLOW = (
    "condconv_digits", "mixnet_digits", "expert_bias", "sigmoid_attention", "running_sum", "slice_split",
    "uneven_split", "kernel_by_norm", "transposed_mix",
)  # fmt: skip
NAMED = {case.name: case for case in CASES}


def silent(_stage: str) -> None:
    """Nobody is watching."""


def stock(module: nn.Module, case: ConformanceCase, images: int, path: Path, *, dynamo: bool) -> Path:
    example = torch.zeros((images, *case.input_size))
    more = {"external_data": False} if dynamo else {}
    opset = 18 if dynamo else 13
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (example,),
            path,
            dynamo=dynamo,
            opset_version=opset,
            verbose=False,
            **more,  # type: ignore[arg-type]
        )
    return path


def recognised(built: Build) -> Counter[tuple[str, str | None, bool]]:
    return Counter((layer.kind.value, layer.form, layer.recognised) for layer in built.layers)


def cases() -> Iterator[object]:
    """Quick ones at the baked batch; torch's older exporter takes longest."""
    for name in (*QUICK, *SLOW):
        for images, dynamo in ((3, True), (3, False), (1, False)):
            quick = name in QUICK and images == 3 and dynamo
            label = f"{name}, batch {images}, {'new' if dynamo else 'old'} exporter"
            yield pytest.param(NAMED[name], images, dynamo, id=label, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize(("case", "images", "dynamo"), list(cases()))
def test_a_stock_export_is_recognised_like_the_network(
    case: ConformanceCase, images: int, dynamo: bool, tmp_path: Path
) -> None:
    module = case.build()
    path = stock(module, case, images, tmp_path / "stock.onnx", dynamo=dynamo)
    source = read_onnx(path, None, silent)
    own = build_from(capture(module, case.input_size), ExportOptions(), {}, silent)
    theirs = build_from(source.captured, ExportOptions(), {}, silent)
    assert source.oracle.images == images
    assert recognised(theirs) == recognised(own)
    proof = onnx_proof(theirs, source, 1)
    assert proof.passed, proof.final.sentence()
