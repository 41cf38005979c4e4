"""A board behind a fake ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.devices.boards import Board, make_board


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    return make_board(tmp_path, monkeypatch)
