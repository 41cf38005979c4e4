"""Chromium with one page, and the engines that a page runs; for tests that have both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.browser.chromium import CHROMIUM, chromium_and_engines
from tests.deploy.report.chromium import Page, open_page


@pytest.fixture(scope="module")
def engines() -> dict[str, Path]:
    return chromium_and_engines()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    assert CHROMIUM is not None
    with open_page(CHROMIUM, tmp_path / "profile") as opened:
        yield opened
