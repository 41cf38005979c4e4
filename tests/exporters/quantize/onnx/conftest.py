"""A network with every form, captured once, and its calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from condmix.exporters.build import Prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.ranges import Ranges
from tests.exporters.networks import settled
from tests.exporters.quantize.onnx.rounding import EveryForm, calibrated, images_of


@pytest.fixture(scope="session")
def every_form_network() -> Any:
    """Not to be changed."""
    return settled(EveryForm())


@pytest.fixture(scope="session")
def every_form(every_form_network: Any) -> Prepared:
    """Its prepared graph."""
    captured = capture(every_form_network, EveryForm.INPUT_SIZE)
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)


@pytest.fixture(scope="session")
def images() -> dict[str, np.ndarray]:
    return images_of(EveryForm.INPUT_SIZE)


@pytest.fixture(scope="session")
def ranges(every_form: Prepared, images: dict[str, np.ndarray]) -> Ranges:
    return calibrated(every_form.model, images)


@pytest.fixture(scope="session")
def expected(every_form_network: Any, images: dict[str, np.ndarray]) -> np.ndarray:
    """What the network gives for the images, in float."""
    with torch.no_grad():
        result: np.ndarray = every_form_network(torch.from_numpy(images["input"])).numpy()
    return result
