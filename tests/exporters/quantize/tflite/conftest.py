"""Networks that several tests write as int8, captured once."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.build import Prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.networks import INPUT_SIZE, BothConstructs, settled
from tests.exporters.quantize.tflite.calibrated import Feeds, calibrated, rows_of


@pytest.fixture(scope="session")
def both() -> Prepared:
    """A network with every construct."""
    captured = capture(settled(BothConstructs()), INPUT_SIZE)
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)


@pytest.fixture(scope="session")
def both_images(both: Prepared) -> Feeds:
    images = np.random.default_rng(0).standard_normal((8, *INPUT_SIZE)).astype(np.float32)
    return {str(both.model.graph.inputs[0].name): images}


@pytest.fixture(scope="session")
def both_ranges(both: Prepared, both_images: Feeds) -> Ranges:
    return calibrated(both, rows_of(both_images))
