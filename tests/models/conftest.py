"""What the tests of the models share: one thread, and the marker of the long tests."""

from collections.abc import Iterator

import pytest
import torch


def pytest_configure(config: pytest.Config) -> None:
    """`-m "not slow"` leaves out what trains to the end."""
    config.addinivalue_line("markers", "slow: trains a network to the end, about half a minute each")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """On small tensors torch's threads wait for each other, on a busy machine for minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
