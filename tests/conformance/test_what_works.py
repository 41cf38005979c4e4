"""docs/what-works.md is a table without gaps: every heading has rows, every cell a known word, every path exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from condmix.exporters.refusals import REASONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "what-works.md"
HEADINGS = (
    "Detection",
    "Feature extractors and heads",
    "Foreign CondConv-like layers",
    "Input is ONNX",
    "Also: other sources",
    "Shapes",
    "Refusals",
    "Property tests",
    "Hostile input",
)
WORDS = ("yes", "kept", "no", "-", "not yet")
COLUMNS = ["what", "ONNX", "TFLite", "int8", "how", "tested in"]


def tables(page: str) -> dict[str, list[list[str]]]:
    """Heading -> the rows below it, column titles included."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
            found[heading] = []
        elif line.startswith("|") and not line.startswith("|---"):
            found[heading].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def faults(page: str) -> list[str]:
    """What is wrong with a page: a row of another width, an unknown word or code, a path that is not there."""
    codes = {reason.code for reason in REASONS}
    problems = []
    for heading, (titles, *rows) in tables(page).items():
        if titles != COLUMNS or not rows:
            problems.append(f"{heading}: its columns are {titles}, rows {len(rows)}")
        for row in rows:
            if len(row) != len(COLUMNS):
                problems.append(f"{row[0]}: {len(row)} cells")
                continue
            what, *cells, how, where = row
            for cell in cells:
                word, _, code = cell.partition(", ")
                if word not in WORDS or (code and code.strip("`") not in codes):
                    problems.append(f"{what}: {cell!r} is none of {WORDS}, with a reason code at most")
            paths = re.findall(r"`((?:tests|docs)/[^`:]+)", where)
            problems += [f"{what}: {path} is not there" for path in paths if not (ROOT / path).exists()]
            if not paths and "not yet" not in cells:
                problems.append(f"{what}: nothing says where it is tested")
            if not how:
                problems.append(f"{what}: nothing says how")
    return problems


def test_every_bullet_has_rows_and_no_row_has_a_fault() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert tuple(tables(page)) == HEADINGS
    assert faults(page) == []


ROW = "| a net | yes | no, `BATCH_AXIS` | - | `condmix-export` | `tests/conftest.py` |"


def page_with(row: str) -> str:
    return f"## Shapes\n\n| {' | '.join(COLUMNS)} |\n|---|---|---|---|---|---|\n{row}\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("| yes |", "| perhaps |", "'perhaps' is none of"),
        ("BATCH_AXIS", "MOON", "none of"),
        ("tests/conftest.py", "tests/nowhere.py", "tests/nowhere.py is not there"),
        ("`tests/conftest.py`", "-", "nothing says where it is tested"),
        ("| - ", "", "5 cells"),
    ],
)
def test_a_fault_is_seen(old: str, new: str, problem: str) -> None:
    assert faults(page_with(ROW)) == []
    (found,) = faults(page_with(ROW.replace(old, new)))
    assert problem in found
