"""The house rule: which folder may import which, which packages ship, and how long a file may be."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, frozenset[str]] = {
    "models": frozenset(),
    "runtime": frozenset(),
    "exporters": frozenset({"models", "runtime"}),
    "deploy": frozenset({"models", "runtime", "exporters"}),
}
MOST_LINES = 300


def source_files(root: Path = ROOT) -> list[Path]:
    """All Python files of the four folders."""
    return sorted(path for folder in MAY_IMPORT for path in (root / folder).rglob("*.py"))


def imported_modules(source: str) -> Iterator[str]:
    """Every module a file imports, as a dotted name; `from condmix import deploy` counts as condmix.deploy."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level
            elif node.module == "condmix":
                yield from (f"condmix.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def import_faults(home: str, source: str) -> list[str]:
    """What is wrong with the imports of a file in folder `home`."""
    faults = []
    for name in imported_modules(source):
        first, *rest = name.split(".")
        if name.startswith("."):
            faults.append(f"relative import '{name}'")
        elif first in MAY_IMPORT:
            faults.append(f"'{name}' without condmix in front")
        elif first == "condmix" and rest and rest[0] != home and rest[0] not in MAY_IMPORT[home]:
            faults.append(f"{home} may not import {name}")
    return faults


def packages_on_disk(root: Path = ROOT) -> set[str]:
    """The import name of every folder that holds an __init__.py."""
    folders = (path.parent for path in source_files(root) if path.name == "__init__.py")
    return {"condmix." + ".".join(folder.relative_to(root).parts) for folder in folders}


def test_there_are_files_to_check() -> None:
    files = source_files()
    assert len(files) > 50
    assert {path.relative_to(ROOT).parts[0] for path in files} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_house_rule(path: Path) -> None:
    home = path.relative_to(ROOT).parts[0]
    assert import_faults(home, path.read_text()) == []


@pytest.mark.parametrize(
    ("home", "source"),
    [
        ("runtime", "from condmix.models import zoo"),
        ("models", "import condmix.runtime.parity"),
        ("exporters", "from condmix.deploy.cli import main"),
        ("runtime", "from condmix import exporters"),
        ("deploy", "from models import zoo"),
        ("deploy", "import runtime"),
        ("models", "from .condconv import CondConv2d"),
    ],
)
def test_the_import_rule_can_fail(home: str, source: str) -> None:
    assert import_faults(home, source)


def test_the_import_rule_lets_the_right_imports_pass() -> None:
    source = "import numpy\nfrom condmix.runtime.parity import compare\nfrom condmix.exporters import build"
    assert import_faults("deploy", source) == []


def test_every_package_on_disk_ships() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_a_forgotten_package_is_seen(tmp_path: Path) -> None:
    for folder in ("models", "models/extra", "runtime", "exporters", "deploy"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    assert "condmix.models.extra" in packages_on_disk(tmp_path)


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_only_deploy_prints() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in source_files()
        if path.relative_to(ROOT).parts[0] != "deploy"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "exit")
    ]
    assert offenders == []


def test_no_junk_drawers() -> None:
    names = {path.stem for path in source_files()} | {path.parent.name for path in source_files()}
    assert not names & {"utils", "util", "common", "helpers", "misc"}
