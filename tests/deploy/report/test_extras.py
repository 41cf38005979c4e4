"""The sections of a report: the agreed shapes are read, others are refused with all their places."""

from __future__ import annotations

import json

import pytest

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.report.extras import Extras, read_extras
from tests.deploy.report.synthetic import sections


def test_all_sections_are_read() -> None:
    found = read_extras(sections())
    assert found.routing["condmix"].blocks[0].images == 64
    assert [point.batch for point in found.batch_curve["stock.onnx"]] == [1, 2, 3, 4, 8]
    assert found.input_dependence["condmix.onnx"].depends is False
    assert found.accuracy["stock.onnx"].top1 == 0.931
    assert found.int8["condmix_int8.onnx"].islands[0].operators == "Conv x2, Add"
    assert (
        found.int8["condmix_int8.onnx"].islands[0].reason == "not fused by the runtime: Conv between DequantizeLinear"
    )
    assert found.profile["condmix.onnx"].peaks["int8"] == (120e9, "QLinearMatMul of 512")
    assert found.unknown == ()


def test_no_section_is_none_and_an_unknown_one_is_named() -> None:
    assert read_extras({}) == Extras()
    assert read_extras({"weather": [1]}).unknown == ("weather",)


def test_all_faults_are_told_at_once() -> None:
    damaged = json.loads(json.dumps(sections()))
    damaged["profile"]["condmix.onnx"]["modules"][3]["time_us"] = "long"
    damaged["profile"]["condmix.onnx"]["modules"][4]["bound"] = "bandwidth"
    damaged["routing"]["condmix"]["blocks"][0]["counts"][2].pop()
    damaged["routing"]["condmix"]["blocks"][1]["mean"].pop()
    damaged["routing"]["condmix"]["blocks"][2]["bin_edges"] = [1, 0]
    damaged["accuracy"]["stock.onnx"]["top1"] = 93.1
    damaged["batch_curve"]["stock.onnx"][0]["batch"] = 0
    damaged["input_dependence"] = []
    with pytest.raises(UnreadableFileError) as caught:
        read_extras(damaged)
    assert str(caught.value).splitlines() == [
        "the sections of the report cannot be read:",
        "  - sections.profile['condmix.onnx'].modules[3].time_us must be a number, found 'long'",
        "  - sections.profile['condmix.onnx'].modules[4].bound must be compute, memory or null, found 'bandwidth'",
        "  - sections.routing['condmix'].blocks[0].counts must have 20 numbers for each expert",
        "  - sections.routing['condmix'].blocks[1].mean must have a number for each of 8 experts",
        "  - sections.routing['condmix'].blocks[2].bin_edges must be two rising numbers or more",
        "  - sections.batch_curve['stock.onnx'][0].batch must be at least 1",
        "  - sections.input_dependence must be an object, found []",
        "  - sections.accuracy['stock.onnx'].top1 must be a share from 0 to 1, found 93.1",
    ]
