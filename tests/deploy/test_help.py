"""The text of every --help page. After a change that is meant:

    make golden

writes the pages anew; review the difference before it is committed. The layout is that of click 8.5.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from condmix.deploy.commands import root
from condmix.deploy.exit_codes import MEANINGS

GOLDEN = Path(__file__).parents[1] / "golden"
COMMANDS = (
    "audit", "bench", "bundle", "compare", "detect", "detection-set", "diff", "doctor", "eval", "export", "inspect",
    "report", "train", "verify", "zoo",
)  # fmt: skip
PAGES = {"condmix": [], **{f"condmix-{name}": [name] for name in COMMANDS}}


def _page(arguments: list[str]) -> str:
    result = CliRunner().invoke(root.condmix, [*arguments, "--help"], prog_name="condmix", terminal_width=100)
    assert result.exit_code == 0
    return "\n".join(line.rstrip() for line in result.output.splitlines()) + "\n"


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_is_the_golden_one(name: str) -> None:
    path = GOLDEN / f"help-{name}.txt"
    page = _page(PAGES[name])
    if os.environ.get("CONDMIX_UPDATE_GOLDEN"):
        path.write_text(page)
    assert page == path.read_text()


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_has_examples_and_every_exit_code(name: str) -> None:
    page = _page(PAGES[name])
    assert "  Examples:\n    condmix" in page
    codes = page.split("Exit codes:\n")[1].splitlines()
    assert [line.split()[0] for line in codes if line.strip()] == [str(int(code)) for code in MEANINGS]


def test_every_command_has_a_page() -> None:
    assert {f"condmix-{name}" for name in root.condmix.commands} | {"condmix"} == set(PAGES)
