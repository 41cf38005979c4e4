"""Wheels are fetched once, kept by their hash, and fetched again when they are damaged."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from condmix.deploy.devices import wheels
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.requirements import Requirements
from condmix.deploy.devices.wheels import device_cache, fetch, keep

WANTED = Requirements(packages=("engine==1.0",), python_version=(3, 11), tags=("manylinux_2_36_aarch64",))


def wheel(text: str = "x") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("engine/__init__.py", text * 100)
    return stream.getvalue()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that fetched; a wheel was found each time."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        Path(command[command.index("--dest") + 1], "engine-1.0-cp311.whl").write_bytes(wheel())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return commands


def test_they_are_fetched_once(tmp_path: Path, asked: list[list[str]]):
    first, second = fetch("pi", WANTED, tmp_path), fetch("pi", WANTED, tmp_path)
    assert first == second
    assert len(asked) == 1
    (package,) = first
    assert (package.name, package.size_bytes, package.unpacked_bytes) == ("engine-1.0-cp311.whl", len(wheel()), 100)
    assert asked[0][asked[0].index("--platform") + 1] == "manylinux_2_36_aarch64"
    assert "--only-binary=:all:" in asked[0]
    assert "--no-deps" not in asked[0]
    assert list(tmp_path.glob("fetch-*")) == []


def test_another_machine_is_another_selection(tmp_path: Path, asked: list[list[str]]):
    fetch("pi", WANTED, tmp_path)
    other = Requirements(packages=WANTED.packages, python_version=(3, 12), tags=WANTED.tags, with_dependencies=False)
    fetch("pi", other, tmp_path)
    assert len(asked) == 2
    assert "--no-deps" in asked[1]
    assert asked[1][asked[1].index("--python-version") + 1] == "312"


@pytest.mark.parametrize("damage", ["other", "gone", "index"])
def test_a_damaged_cache_is_filled_again(tmp_path: Path, asked: list[list[str]], damage: str):
    (package,) = fetch("pi", WANTED, tmp_path)
    if damage == "other":
        package.path.write_bytes(wheel("y"))
    elif damage == "gone":
        package.path.unlink()
    else:
        next((tmp_path / "selections").iterdir()).write_text("[[")
    (again,) = fetch("pi", WANTED, tmp_path)
    assert len(asked) == 2
    assert again.path.read_bytes() == wheel()


def test_the_stand_in_has_the_name_of_litert(tmp_path: Path, asked: list[list[str]]):
    wanted = Requirements(packages=("tflite-runtime",), python_version=(3, 11), tags=("t",), stand_in=True)
    stand_in = fetch("pi", wanted, tmp_path)[-1]
    assert len(asked) == 1
    with zipfile.ZipFile(stand_in.path) as archive:
        assert archive.namelist() == ["ai_edge_litert/__init__.py", "ai_edge_litert/interpreter.py"]
        for name in archive.namelist():
            compile(archive.read(name), name, "exec")


def test_what_the_index_lacks_is_told_with_pips_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "noise\n\nERROR: No matching distribution found\n")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    expected = r"^pi: packages: pip found no wheels of engine==1\.0 for manylinux_2_36_aarch64: .*ERROR: No matching"
    with pytest.raises(DeviceError, match=expected):
        fetch("pi", WANTED, tmp_path)
    assert list(tmp_path.glob("*")) == []


def test_the_cache_is_the_users(tmp_path: Path):
    assert device_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "condmix/devices"
    assert device_cache({"XDG_CACHE_HOME": "not/absolute"}) == Path.home() / ".cache/condmix/devices"


def test_the_same_content_is_kept_once(tmp_path: Path):
    assert keep("a.zip", wheel(), tmp_path) == keep("a.zip", wheel(), tmp_path)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
