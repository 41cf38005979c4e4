"""What makes tests quicker and changes none: garbage is looked for among new objects, operators are read once, torch
computes on one thread; and `--hypothesis-profile quick`, with which `make check` tries fewer examples of an exact rule
than `make test`."""

from __future__ import annotations

import copy
import gc
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

OBJECTS_BETWEEN_COLLECTIONS = 50_000
QUICK_PROFILE = "quick"
REGISTRY = "torch.onnx._internal.exporter._registration"


@pytest.hookimpl(tryfirst=True)  # before hypothesis looks its profile up
def pytest_configure(config: pytest.Config) -> None:
    """Captures and graphs make objects by the million: with Python's own threshold of 700 the search through them takes
    a sixth of the time."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    if config.getoption("--hypothesis-profile", default=None) == QUICK_PROFILE:
        from hypothesis import settings

        settings.register_profile(QUICK_PROFILE, max_examples=10)


def pytest_collection_finish() -> None:
    """Modules and collected tests stay to the end: the collector need not walk through them in every test."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """What was frozen is let go, as extensions expect when the interpreter ends."""
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """On small tensors torch's threads wait for each other, on a busy machine for minutes; where no test has imported
    torch there is nothing to set. The setting before is restored."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _operators_read_once() -> Iterator[None]:
    """`torch.onnx.export` parses the source of its 500 operators again for every network, half a second of a capture
    that takes one or two. Here the first export reads them and each has a list of its own, as from torch."""
    if "condmix.exporters.capture" not in sys.modules:
        yield
        return
    try:
        registry: Any = importlib.import_module(REGISTRY).ONNXRegistry
        read = registry.from_torchlib
    except (ImportError, AttributeError):  # torch's private matter: without it the tests take longer and are as good
        yield
        return
    kept: dict[tuple[object, ...], Any] = {}

    def from_torchlib(**choices: object) -> Any:
        key = tuple(sorted(choices.items()))
        if key not in kept:
            kept[key] = read(**choices)
        own = copy.copy(kept[key])
        own.functions = {name: list(ways) for name, ways in own.functions.items()}
        return own

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "from_torchlib", staticmethod(from_torchlib))
        yield
