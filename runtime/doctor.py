"""Which engines work here, what is missing for the others, and on what machine: facts for `condmix doctor`."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime import litert_session, onnx_session, tflite_environment
from condmix.runtime.cpu import CpuFacts, read_cpu_facts
from condmix.runtime.errors import EngineMissingError, InvalidSettingError
from condmix.runtime.probe import ONNX_MODEL, TFLITE_MODEL, probe
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """One engine as it was found.

    reason: why it cannot be used, or None when it has opened a file and computed rightly.
    version: what is installed, whether it works or not; None when nothing is.
    gives: what having it makes possible. install_line: the command that installs it.
    """

    name: str
    reason: str | None
    version: str | None
    gives: str
    install_line: str

    def __post_init__(self) -> None:
        if self.reason is None and self.version is None:
            raise InvalidSettingError(["an engine that works has a version"], record=f"EngineFacts {self.name!r}")

    @property
    def available(self) -> bool:
        """The engine has computed here."""
        return self.reason is None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "available": self.available,
            "reason": self.reason,
            "version": self.version,
            "gives": self.gives,
            "install_line": self.install_line,
        }


@dataclass(frozen=True, kw_only=True)
class DoctorFacts:
    """All engines, in the order of their importance here, and the machine."""

    engines: tuple[EngineFacts, ...]
    cpu: CpuFacts

    @property
    def missing(self) -> tuple[EngineFacts, ...]:
        """The engines that cannot be used."""
        return tuple(engine for engine in self.engines if not engine.available)

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "engines": [engine.to_dict() for engine in self.engines],
            "cpu": self.cpu.to_dict(),
        }


def examine(tflite_runtime_site: Path, *, python: Path | None = None) -> DoctorFacts:
    """Every engine has been tried on a small file, and the machine read; nothing is installed or changed.

    tflite_runtime_site: where the packages of tflite-runtime are, or would be. python: see TfliteRuntimeBackend.
    """
    tflite_runtime = TfliteRuntimeBackend(tflite_runtime_site, python=python)
    return DoctorFacts(
        engines=(
            EngineFacts(
                name=onnx_session.ENGINE,
                reason=probe(onnx_session.OnnxRuntimeBackend(), ONNX_MODEL),
                version=_installed(onnx_session.ENGINE),
                gives="runs, verifies and times ONNX files",
                install_line=EngineMissingError(onnx_session.ENGINE, onnx_session.ENGINE, "").install_line,
            ),
            EngineFacts(
                name=litert_session.ENGINE,
                reason=probe(litert_session.LiteRtBackend(), TFLITE_MODEL),
                version=_installed(litert_session.ENGINE),
                gives="runs, verifies and times TFLite files",
                install_line=EngineMissingError(litert_session.ENGINE, litert_session.EXTRA, "").install_line,
            ),
            EngineFacts(
                name=tflite_environment.ENGINE,
                reason=tflite_runtime.available(),
                version=tflite_environment.site_versions(tflite_runtime_site).get(tflite_environment.ENGINE),
                gives="checks every TFLite file on the older runtime too, in a process of its own",
                install_line=tflite_runtime.install_line,
            ),
        ),
        cpu=read_cpu_facts(),
    )


def _installed(package: str) -> str | None:
    """From the metadata of the installation, which is there even where the import fails."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
