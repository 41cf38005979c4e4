"""The environments of the tools we are measured beside: one each, for their needs contradict ours and one another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from condmix.deploy.bench.errors import EnvironmentFailedError
from condmix.runtime.tflite_environment import last_lines

FOLDER = Path(".venv-peers")
TORCH = "torch==2.13.0"
"""By itself and first: the others then find a torch that they agree with, instead of choosing one."""
INSTALL_SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One tool and what its environment holds.

    package: whose version is told. steps: what pip installs, a call each. oldest_python: that has its wheels.
    """

    name: str
    package: str
    steps: tuple[tuple[str, ...], ...]
    oldest_python: tuple[int, int] = (3, 11)

    @property
    def version(self) -> str:
        """The pinned version of the package."""
        pins = dict(requirement.split("==") for step in self.steps for requirement in step if "==" in requirement)
        return pins[self.package]


PEERS = MappingProxyType(
    {
        peer.name: peer
        for peer in (
            Peer(name="openvino", package="openvino", steps=(("openvino==2026.4.1", "numpy==2.4.6"),)),
            Peer(name="mnn", package="MNN", steps=(("MNN==3.6.1", "numpy==2.4.6"),)),
            Peer(name="executorch", package="executorch", steps=((TORCH,), ("executorch==1.5.1",))),
            Peer(name="litert-torch", package="litert-torch", steps=((TORCH,), ("litert-torch==0.10.0",))),
            # 1.29.24, the last for Python 3.11, brings TensorFlow (2.6 GB) and takes minutes for a network.
            Peer(name="onnx2tf", package="onnx2tf", steps=(("onnx2tf==2.6.9",),), oldest_python=(3, 12)),
        )
    }
)


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment.absolute() / "bin" / "python"


def ensure_environment(peer: Peer, folder: Path) -> Path:
    """The interpreter of `folder/<peer>`, which has the peer in the pinned version; made where it is not there.

    Raises EnvironmentFailedError.
    """
    environment = folder / peer.name
    python = python_of(environment)
    if python.is_file() and installed_version(peer, python) == peer.version:
        return python
    base = _interpreter(peer)
    _call(peer, [str(base), "-m", "venv", "--clear", str(environment)])
    for step in peer.steps:
        _call(peer, [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *step])
    return checked(peer, environment)


def checked(peer: Peer, environment: Path) -> Path:
    """The interpreter of an environment that has the peer in the pinned version. Raises EnvironmentFailedError."""
    python = python_of(environment)
    found = installed_version(peer, python)
    if found != peer.version:
        problem = f"{environment} has {'no ' + peer.package if found is None else found} instead of {peer.version}"
        raise EnvironmentFailedError(peer.name, problem)
    return python


def installed_version(peer: Peer, python: Path) -> str | None:
    """Of the peer's package, from its metadata; None where it is not installed or nothing starts."""
    program = f"from importlib.metadata import version; print(version({peer.package!r}))"
    try:
        done = subprocess.run([str(python), "-I", "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _interpreter(peer: Peer) -> Path:
    """This one where it is new enough, else one on the PATH."""
    if sys.version_info[:2] >= peer.oldest_python:
        return Path(sys.executable)
    for minor in (12, 13):
        found = shutil.which(f"python3.{minor}") if (3, minor) >= peer.oldest_python else None
        # A name on the PATH may be a launcher for a version that is not there: only starting it tells.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return Path(found)
    needed = ".".join(map(str, peer.oldest_python))
    raise EnvironmentFailedError(peer.name, f"{peer.package} {peer.version} needs Python {needed}, none is on the PATH")


def _call(peer: Peer, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailedError(peer.name, f"pip had not finished after {INSTALL_SECONDS:g} s") from error
    if done.returncode != 0:
        raise EnvironmentFailedError(peer.name, f"it cannot be installed: {last_lines(done.stderr or done.stdout)}")
