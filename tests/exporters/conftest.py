"""What all tests of the exporters share."""

from __future__ import annotations

import pytest
from torch import nn

from condmix.exporters.capture import Captured, capture
from tests.exporters.networks import INPUT_SIZE, BothConstructs, Plain, settled


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """A network with both constructs. Not to be changed."""
    return settled(BothConstructs())


@pytest.fixture(scope="session")
def captured(network: nn.Module) -> Captured:
    """Its graph. Captured once: that takes seconds."""
    return capture(network, INPUT_SIZE)


@pytest.fixture(scope="session")
def plain_network() -> nn.Module:
    """A network with neither construct. Not to be changed."""
    return settled(Plain())


@pytest.fixture(scope="session")
def plain_captured(plain_network: nn.Module) -> Captured:
    """Its graph."""
    return capture(plain_network, INPUT_SIZE)
