"""The table of refusals is whole: every code is in it, every refusal has a code, and docs/refusals.md is the table."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from condmix.exporters.errors import (
    CalibrationError,
    CaptureError,
    ExportError,
    GraphError,
    NotExportableError,
    OnnxInputError,
    OptionsError,
    ProgramInputError,
    VerificationError,
)
from condmix.exporters.refusals import FILES, LAYERS, NETWORKS, PROGRAMS, REASONS, STEPS, code_in, codes_of

ROOT = Path(__file__).parents[2]
REFUSING = ("NotExportableError", "CaptureError", "Declined", "NotAMixture")


def texts(tree: ast.AST) -> str:
    """All text that is written in a piece of code, pieces of formatted strings included."""
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "".join(found)


def refusing_functions(source: str) -> Iterator[tuple[str, str]]:
    """Each function that makes a refusal, with all its texts."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            if any(isinstance(call, ast.Name) and call.id in REFUSING for call in calls):
                yield function.name, texts(function)


def sources() -> list[Path]:
    return sorted((ROOT / "exporters").rglob("*.py"))


@functools.cache
def all_texts() -> tuple[str, ...]:
    return tuple(texts(ast.parse(path.read_text())) for path in sources() if path.name != "refusals.py")


def test_every_code_of_a_given_file_is_in_the_table_and_in_use() -> None:
    used = set()
    for path in sources():
        if path.name != "refusals.py":
            used.update(re.findall(r'"((?:ONNX|PROGRAM)_[A-Z_]+)"', path.read_text()))
    assert used == {reason.code for reason in (*FILES, *PROGRAMS)}


def test_every_refusing_function_has_words_of_the_table() -> None:
    passing_on = {
        "_conv",
        "_not_linear",
        "find_mixconv",
        "find_mixture",
        "capture",
    }  # the reason comes from another function, looked at as well
    silent = [
        f"{path.name}: {name}"
        for path in sources()
        if any(f"{kind}(" in path.read_text() for kind in REFUSING)
        for name, said in refusing_functions(path.read_text())
        if code_in(said) is None and name not in passing_on
    ]
    assert silent == []


def test_a_refusal_without_words_of_the_table_is_seen() -> None:
    source = "def new() -> None:\n    raise NotExportableError('something else', ())"
    assert [(name, code_in(said)) for name, said in refusing_functions(source)] == [("new", None)]


@pytest.mark.parametrize("reason", [*NETWORKS, *LAYERS], ids=lambda reason: reason.words)
def test_words_of_the_table_are_said_somewhere(reason: object) -> None:
    assert any(reason.words in text for text in all_texts())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "codes"),
    [
        (
            OnnxInputError("a", (("ONNX_BATCH", "x"), ("ONNX_INPUTS", "y"), ("ONNX_BATCH", "z"))),
            ["ONNX_BATCH", "ONNX_INPUTS"],
        ),
        (ProgramInputError("a", (("PROGRAM_PICKLE", "x"),)), ["PROGRAM_PICKLE"]),
        (NotExportableError("the network cannot be given a batch axis;", ("x",)), ["BATCH_AXIS"]),
        (CaptureError("torch could not capture the network"), ["CAPTURE"]),
        (CalibrationError("anything"), ["CALIBRATION"]),
        (VerificationError("anything"), ["NO_YARDSTICK"]),
        (GraphError("anything"), ["GRAPH"]),
        (OptionsError("anything"), ["OPTIONS"]),
        (ExportError("anything"), []),
    ],
)
def test_an_error_has_its_code(error: ExportError, codes: list[str]) -> None:
    assert list(codes_of(error)) == codes


def test_the_docs_are_the_table() -> None:
    page = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    expected = [
        [f"`{reason.code}`", reason.example, reason.remedy]
        for reason in (*FILES, *PROGRAMS, *NETWORKS, *LAYERS, *STEPS)
    ]
    assert rows == expected
    assert len(REASONS) == len(rows)
