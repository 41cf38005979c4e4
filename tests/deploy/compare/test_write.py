"""A comparison on the disk: the same rows as Markdown, CSV and JSON; older files are not lost."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from condmix.deploy.compare.table import Row
from condmix.deploy.compare.write import NAMES, Comparison, check_folder, markdown, write_comparison
from condmix.deploy.errors import OutputError, PlanError
from tests.deploy.conftest import files_in
from tests.runtime.bench.reports import make_report


@pytest.fixture
def comparison() -> Comparison:
    rows = (
        Row(name="a", size_bytes=1000, size_ratio=1.0, median_ns=1e6, ratio_words="1", agreement="ok max|d| 1e-6"),
        Row(name="b_int8", reason="it was rejected"),
    )
    return Comparison(rows=rows, report=make_report(), notes=("b_int8 is not measured: it was rejected",))


def test_three_files_with_the_same_rows(comparison: Comparison, tmp_path: Path) -> None:
    paths = write_comparison(comparison, tmp_path, overwrite=False)
    assert [path.name for path in paths] == list(NAMES)
    assert files_in(tmp_path) == set(NAMES)
    record = json.loads(paths[2].read_text())
    assert (record["schema_version"], record["kind"], record["first"]) == (1, "condmix-comparison", "a")
    assert record["verdict"] == comparison.report.verdict.first_line()
    assert record["noise_floor"] == comparison.report.noise_floor()
    with paths[1].open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["name"] for row in table] == [row["name"] for row in record["rows"]] == ["a", "b_int8"]
    assert (table[0]["median_ns"], table[1]["median_ns"], table[1]["reason"]) == ("1000000.0", "", "it was rejected")


def test_markdown_is_one_table_under_the_verdict(comparison: Comparison) -> None:
    lines = markdown(comparison).splitlines()
    assert lines[0].startswith("**VALID: ")
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert r"ok max\|d\| 1e-6" in table[2]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert "- noise floor: " in lines[-2]
    assert lines[-1] == "- b_int8 is not measured: it was rejected"


def test_older_files_stay_and_are_named_before_anything_is_measured(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "comparison.csv").write_text("old")
    with pytest.raises(PlanError, match=r"comparison\.csv"):
        check_folder(tmp_path, overwrite=False)
    with pytest.raises(PlanError, match=r"comparison\.csv"):
        write_comparison(comparison, tmp_path, overwrite=False)
    assert files_in(tmp_path) == {"comparison.csv"}
    check_folder(tmp_path, overwrite=True)
    check_folder(tmp_path / "new", overwrite=False)
    with pytest.raises(OutputError):
        check_folder(tmp_path / "comparison.csv", overwrite=False)
