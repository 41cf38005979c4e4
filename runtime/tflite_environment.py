"""The folder of packages that tflite-runtime needs for itself: it wants numpy below 2 and an older Python.

The folder is looked at here and, only when asked for, made here; nothing is ever installed beside condmix.
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from condmix.runtime.errors import EnvironmentMissingError

ENGINE = "tflite-runtime"
REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy<2")
OLDEST_PYTHON = (3, 9)
NEWEST_PYTHON = (3, 11)  # its last wheels
_LAST_LINES = 6


def install_line(site: Path, python: Path | None = None) -> str:
    """The command that fills `site`, ready for a shell."""
    return shlex.join(_install_command(site, python or Path("python{}.{}".format(*NEWEST_PYTHON))))


def find_python() -> Path | None:
    """An interpreter that tflite-runtime has wheels for: this one, else the newest on the path; None without any."""
    versions = [f"3.{minor}" for minor in range(NEWEST_PYTHON[1], OLDEST_PYTHON[1] - 1, -1)]
    named = [shutil.which(f"python{version}") for version in versions]
    for candidate in (sys.executable, *named):
        if candidate and python_problem(Path(candidate)) is None:
            return Path(candidate)
    return None


def python_problem(python: Path) -> str | None:
    """None when the interpreter starts and is of a version that fits, else what is wrong with it."""
    program = "import sys; print(*sys.version_info[:2])"
    try:
        # A name on the path may be a launcher for a version that is not there: only starting it tells.
        done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{str(python)!r} does not start: {error}"
    found = re.fullmatch(r"(\d+) (\d+)\s*", done.stdout)
    if done.returncode != 0 or found is None:
        return f"{str(python)!r} does not start: {last_lines(done.stderr)}"
    version = (int(found[1]), int(found[2]))
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return None
    return f"{str(python)!r} is Python {found[1]}.{found[2]}, and {ENGINE} has wheels for {_range()} only"


def site_problems(site: Path) -> tuple[str, ...]:
    """What the folder lacks, as far as its files tell; that it also computes is shown by running it only."""
    if not site.is_dir():
        return (f"there is no folder {str(site)!r} with its packages",)
    versions = site_versions(site)
    problems = []
    if ENGINE not in versions:
        problems.append(f"{ENGINE} is not in {str(site)!r}")
    if "numpy" not in versions:
        problems.append(f"numpy is not in {str(site)!r}")
    elif not versions["numpy"].startswith(("0.", "1.")):
        problems.append(
            f"numpy {versions['numpy']} is in {str(site)!r}, expected numpy below 2: "
            f"{ENGINE} can be imported beside it but fails at every file"
        )
    return tuple(problems)


def site_versions(site: Path) -> dict[str, str]:
    """Package -> version of what is in the folder, from its metadata, nothing imported."""
    found = importlib.metadata.distributions(path=[str(site)])
    return {one.metadata["Name"].lower().replace("_", "-"): one.version for one in found}


def missing_python() -> str:
    """The sentence for a machine without a Python that fits."""
    return f"no Python of {_range()} was found, and its wheels end there"


def install(site: Path, python: Path, *, timeout_seconds: float) -> None:
    """The folder is filled by the pip of `python`, from ready-made wheels only.

    Raises EnvironmentMissingError with the last lines of pip.
    """
    command = _install_command(site, python)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired as error:
        reason = f"pip had not finished after {timeout_seconds:g} s"
        raise EnvironmentMissingError(ENGINE, reason, install_line(site, python)) from error
    except OSError as error:
        raise EnvironmentMissingError(ENGINE, f"pip does not start: {error}", install_line(site, python)) from error
    if done.returncode != 0:
        reason = f"pip could not install it: {last_lines(done.stderr)}"
        raise EnvironmentMissingError(ENGINE, reason, install_line(site, python))


def last_lines(text: str) -> str:
    """The end of a program's complaints on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LAST_LINES:]) or "it said nothing"


def _install_command(site: Path, python: Path) -> list[str]:
    options = ["--disable-pip-version-check", "--quiet", "--only-binary=:all:", "--target", str(site)]
    return [str(python), "-m", "pip", "install", *options, *REQUIREMENTS]


def _range() -> str:
    return "{}.{} to {}.{}".format(*OLDEST_PYTHON, *NEWEST_PYTHON)
