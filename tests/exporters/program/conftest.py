"""Programs are made once: torch.export takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from tests.exporters.program.programs import network, save_exported, save_scripted


@pytest.fixture(scope="session")
def mixed() -> nn.Module:
    """The network of all programs. Not to be changed."""
    return network()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs lie."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="session")
def exported(mixed: nn.Module, folder: Path) -> Path:
    """For one image."""
    return save_exported(mixed, folder / "one.pt2")


@pytest.fixture(scope="session")
def exported_dynamic(mixed: nn.Module, folder: Path) -> Path:
    """For any number of images."""
    return save_exported(mixed, folder / "any.pt2", images=2, dynamic=True)


@pytest.fixture(scope="session")
def exported_three(mixed: nn.Module, folder: Path) -> Path:
    """For three images."""
    return save_exported(mixed, folder / "three.pt2", images=3)


@pytest.fixture(scope="session")
def traced(mixed: nn.Module, folder: Path) -> Path:
    """Traced with three images."""
    return save_scripted(mixed, folder / "traced.pt", images=3)


@pytest.fixture(scope="session")
def frozen(mixed: nn.Module, folder: Path) -> Path:
    """Scripted and frozen: its weights are constants."""
    return save_scripted(mixed, folder / "frozen.pt", way="frozen")
