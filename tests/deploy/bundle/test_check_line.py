"""One artifact in one line."""

from __future__ import annotations

import dataclasses
import math

import pytest

from condmix.deploy.bundle.check_line import check_line, top1_text
from tests.deploy.bundle.conftest import passed_check

GOOD = passed_check("net.onnx")
assert GOOD.agreement is not None
WORSE = dataclasses.replace(GOOD.agreement, passed=False, max_abs_difference=math.inf, detail="it is not finite")
NOISE = dataclasses.replace(GOOD.agreement, limit=None, top1_agreement=0.875, detail="SQNR in dB 30.0, at least 10.0")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "[ok]      net.onnx  max|d| 2.5e-06, limit 1.0e-04, top-1 100%, 3 images in onnxruntime 9.9"),
        (
            {"agreement": WORSE},
            "[failed]  net.onnx  max|d| not finite, limit 1.0e-04, top-1 100%, it is not finite, 3 images in "
            "onnxruntime 9.9",
        ),
        (
            {"agreement": NOISE},
            "[ok]      net.onnx  max|d| 2.5e-06, top-1 87.5%, SQNR in dB 30.0, at least 10.0, 3 images in "
            "onnxruntime 9.9",
        ),
        ({"agreement": None, "failure": "it broke down"}, "[failed]  net.onnx  it broke down"),
        ({"agreement": None, "failure": "op \x1b[31m\n"}, "[failed]  net.onnx  op ?[31m?"),
        ({"agreement": None, "missing": "no engine"}, "[missing] net.onnx  no engine"),
    ],
)
def test_lines(changes: dict[str, object], line: str) -> None:
    assert check_line(dataclasses.replace(GOOD, **changes)) == line  # type: ignore[arg-type]


def test_names_stand_below_each_other() -> None:
    assert check_line(GOOD, name_width=10).startswith("[ok]      net.onnx    max")
    assert top1_text(None) == "none"
