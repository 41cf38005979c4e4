"""Routing, accuracy, batches, dependence on the image, int8: each only where there is something to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from condmix.deploy.report import extra_sections
from condmix.deploy.report.extra_sections import (
    HOW_TO_READ_ROUTING,
    batch_section,
    inputs_section,
    int8_section,
    routing_section,
    tradeoff_section,
)
from condmix.deploy.report.view import ReportView
from tests.deploy.report.synthetic import full_report

FULL = ReportView(full_report())


@pytest.mark.parametrize("name", ["routing_section", "tradeoff_section", "batch_section", "inputs_section"])
def test_without_data_there_is_no_section(name: str) -> None:
    assert getattr(extra_sections, name)(ReportView(full_report(sections={}))) is None


def test_routing_has_a_picture_and_a_table_for_each_block() -> None:
    section = routing_section(FULL)
    assert section is not None
    how_to_read, group = section.groups
    assert how_to_read.sentences == (HOW_TO_READ_ROUTING,)
    assert group.heading == "condmix"
    assert len(group.figures) == 3
    data = group.figures[2].data
    assert data is not None
    assert data.columns == ("weight", *(f"expert {number}" for number in range(8)))
    assert data.rows[0][0] == "0.00 to 0.05"
    assert data.rows[-1][0] == "mean weight"
    assert group.sentences[-1] == "Source: 64 photographs."


def test_routing_without_a_block_says_why() -> None:
    nothing = {"routing": {"condmix.onnx": {"blocks": [], "source": "the file shows no routing"}}}
    section = routing_section(ReportView(full_report(sections=nothing)))
    assert section is not None
    assert list(section.groups[0].sentences) == ["Source: the file shows no routing."]


def test_the_tradeoff_is_of_measured_subjects_with_an_accuracy() -> None:
    section = tradeoff_section(FULL)
    assert section is not None
    table = section.groups[0].tables[0]
    assert table.rows[0][0] == "A  stock.onnx"
    assert len(table.rows) == 5
    strangers = {"accuracy": {"somebody else": {"top1": 0.5, "images": 1, "source": ""}}}
    assert tradeoff_section(ReportView(full_report(sections=strangers))) is None


def test_batches_are_compared_with_the_smallest() -> None:
    section = batch_section(FULL)
    assert section is not None
    (group,) = section.groups
    rows = group.tables[0].rows
    assert rows[0] == ("condmix.onnx", "1", "10.50", "10.50", "1.000")
    assert rows[1][4] == "0.930"
    assert group.figures[0].legend == ((1, "condmix.onnx"), (0, "stock.onnx"))
    assert not group.figures[0].lettered


def test_input_dependence_is_told_in_its_own_words_or_ours() -> None:
    section = inputs_section(FULL)
    assert section is not None
    assert section.groups[0].sentences[0].startswith("B  condmix.onnx: the slowest of 8 inputs")
    for depends, words in (
        (True, "x: latency depends"),
        (False, "x: latency does not"),
        (None, "x: these runs cannot tell"),
    ):
        bare = {"input_dependence": {"x": {"inputs": [], "depends": depends, "sentence": ""}}}
        found = inputs_section(ReportView(full_report(sections=bare)))
        assert found is not None
        assert found.groups[0].sentences[0].startswith(words)
        assert not found.groups[0].figures


def test_int8_files_that_were_not_looked_at_are_named() -> None:
    section = int8_section(FULL)
    assert section is not None
    looked_at, not_looked_at = section.groups
    assert looked_at.tables[0].rows[0][:3] == ("blocks.0.dw", "Conv x2, Add", "16.1 %")
    assert not_looked_at.sentences == ("Not looked at in this run: condmix audit condmix_int8.tflite tells.",)
    report = full_report(sections={})
    floats = tuple(replace(one, precision="float32") for one in report.subjects)
    assert int8_section(ReportView(replace(report, subjects=floats))) is None
