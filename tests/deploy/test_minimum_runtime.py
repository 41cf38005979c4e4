"""The oldest runtime for a file."""

from __future__ import annotations

import pytest

from condmix.deploy.minimum_runtime import RUNTIME_OF_IR_VERSION, RUNTIME_OF_OPSET, minimum_runtime
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.options import NEWEST_OPSET, OLDEST_OPSET


@pytest.mark.parametrize(
    ("ir_version", "opset", "wanted"),
    [
        (9, 17, "onnxruntime>=1.16"),
        (9, 18, "onnxruntime>=1.16"),
        (9, 21, "onnxruntime>=1.18"),
        (10, 17, "onnxruntime>=1.18"),
    ],
)
def test_the_newer_of_the_two_decides(ir_version: int, opset: int, wanted: str) -> None:
    assert minimum_runtime(ir_version, opset) == wanted


def test_every_opset_that_can_be_asked_for_is_in_the_table() -> None:
    assert set(range(OLDEST_OPSET, NEWEST_OPSET + 1)) == set(RUNTIME_OF_OPSET)
    assert IR_VERSION in RUNTIME_OF_IR_VERSION


def test_newer_opsets_never_need_an_older_runtime() -> None:
    assert list(RUNTIME_OF_OPSET.values()) == sorted(RUNTIME_OF_OPSET.values())
