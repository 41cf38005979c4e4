"""The marker of the models' long tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """`-m "not slow"` leaves out what trains to the end."""
    config.addinivalue_line("markers", "slow: trains a network to the end, about half a minute each")
