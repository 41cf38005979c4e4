"""The page says what was measured and why something was refused; the one in docs/ is about the cases there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conformance import write_table
from tests.conformance.case import ConformanceCase
from tests.conformance.cases import CASES
from tests.conformance.detectors import DETECTOR_CASES
from tests.conformance.proof import Proof, prove
from tests.conformance.table import COLUMNS, page, row

DOCS = Path(__file__).parents[2] / "docs" / "conformance.md"
NORM = next(case for case in CASES if case.name == "kernel_by_norm")


@pytest.fixture(scope="module")
def proof_of_norm() -> Proof:
    return prove(NORM)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|\n").split(" | ")]


def test_a_row_has_layers_forms_errors_and_refusals_with_their_reasons(proof_of_norm: Proof) -> None:
    found = row(proof_of_norm)
    facts = dict(zip(COLUMNS, found.cells, strict=True))
    assert (facts["network"], facts["input"]) == ("`kernel_by_norm`", "3x24x24")
    assert (facts["CondConv"], facts["MixConv"]) == ("", "")
    assert (facts["forms at batch 1"], facts["forms at any batch"]) == ("", "refused")
    assert 0 < float(facts["error at batch 1"]) < float(facts["limit"]) <= 1e-4
    assert 0 < float(facts["PyTorch float32"]) < 1e-4
    assert facts["error at any batch"] == "refused"
    assert 0 < float(facts["TFLite error"]) < float(facts["TFLite limit"]) <= 1e-4
    assert found.more == ()
    layer, other, dynamic = found.refusals
    assert layer[:2] == ("`kernel_by_norm`", "CondConv `blocks.0.0`")
    assert other[:2] == ("`kernel_by_norm`", "CondConv `blocks.1.0`")
    assert "not linear" in layer[2]
    assert dynamic[1:] == ("`--batch dynamic`", dynamic[2])
    assert "it merges the batch axis with another" in dynamic[2]


def test_builds_beyond_the_first_two_are_listed_with_their_errors() -> None:
    case = next(case for case in CASES if case.name == "chunk_split")
    found = row(prove(case))
    assert [build[:2] for build in found.more] == [("`chunk_split`", "`--batch 3`")]
    assert 0 < float(found.more[0][2]) < float(found.more[0][3])
    assert [refusal[1] for refusal in found.refusals] == ["`--batch 1 --mixconv hoisted`"]
    text = page([found], command="the command", date="the day", versions=["torch 0"], machine="a machine")
    assert "Measured with `the command` on the day; torch 0; a machine." in text
    assert f"1 networks in {len(case.exports)} builds" in text
    assert [line for line in text.splitlines() if line.startswith("| `chunk_split` | `--batch 1 --mixconv hoisted`")]


def test_without_tflite_files_the_columns_say_so(proof_of_norm: Proof) -> None:
    refused = tuple(replace(file, build=None, verification=None, refusal="no") for file in proof_of_norm.tflite)
    found = [
        dict(zip(COLUMNS, row(replace(proof_of_norm, tflite=files)).cells, strict=True)) for files in (refused, ())
    ]
    assert [(facts["TFLite error"], facts["TFLite limit"]) for facts in found] == [("refused", ""), ("", "")]


def test_nothing_is_written_when_a_case_has_a_fault(
    proof_of_norm: Proof, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def proven_before(case: ConformanceCase, *_arguments: object) -> Proof:
        return replace(proof_of_norm, case=case)

    monkeypatch.setattr(write_table, "CASES", (replace(NORM, declined={}),))
    monkeypatch.setattr(write_table, "DETECTOR_CASES", ())
    monkeypatch.setattr(write_table, "prove", proven_before)
    result = CliRunner().invoke(write_table.main, [str(tmp_path / "page.md")])
    assert result.exit_code == 1
    assert "kernel_by_norm: recognition: declined ['blocks.0.0', 'blocks.1.0'], expected []" in result.output
    assert not (tmp_path / "page.md").exists()


def test_the_page_in_docs_has_every_case_with_its_layers() -> None:
    lines = DOCS.read_text(encoding="utf-8").split("## Refused")[0].splitlines()
    found = [cells(line) for line in lines if line.startswith("| `")]
    numbers = {row[0].strip("`"): (int(row[3] or 0), int(row[4] or 0)) for row in found}
    assert numbers == {case.name: (case.condconv_layers, case.mixconv_layers) for case in (*CASES, *DETECTOR_CASES)}
