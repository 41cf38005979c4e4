"""A rewritten network with every kind of layer."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from condmix.exporters.build import prepare
from condmix.exporters.captured import Captured
from condmix.exporters.options import ExportOptions


@pytest.fixture(scope="session")
def rewritten(captured: Captured) -> ir.Model:
    """The rewritten graph. Not to be changed."""
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None).model
