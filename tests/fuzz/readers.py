"""The readers of files from outside: a sound sample for each, how it is read, and which errors are its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.errors import DeployError
from condmix.exporters.errors import ExportError
from condmix.models.errors import ModelError
from condmix.runtime.errors import InferenceError
from tests.fuzz import samples

NAMED = (ModelError, InferenceError, ExportError, DeployError)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A way into the project. `sample` writes a sound file and returns its content, `read` takes a damaged one."""

    name: str
    suffix: str
    sample: Callable[[Path], bytes]
    read: Callable[[Path], object]
    cost: int = 1
    """Times slower than the others: so many times fewer inputs."""


def _checkpoint(path: Path) -> object:
    from condmix.models.checkpoint import load

    return load(path)


def _weights(path: Path) -> object:
    from condmix.models.checkpoint import load

    return load(path, architecture=samples.ARCHITECTURE, settings=samples.SETTINGS)


def _bundle(path: Path) -> object:
    from condmix.runtime.bundle.reader import check_bundle

    return check_bundle(path)


def _reference(path: Path) -> object:
    from condmix.runtime.bench.reference import read_reference

    return read_reference(path)


def _report(path: Path) -> object:
    from condmix.runtime.bench.report import read_report

    return read_report(path)


def _onnx_source(path: Path) -> object:
    from condmix.exporters.onnx_input.file import read_file

    return read_file(path)


def _exported_program(path: Path) -> object:
    from condmix.exporters.program.exported import as_module, load_exported
    from condmix.models.file_kind import identify

    return identify(path).is_program and as_module(path, load_exported(path, allow_pickle=False))


def _torchscript(path: Path) -> object:
    from condmix.exporters.program.scripted import load_scripted
    from condmix.models.file_kind import identify

    return identify(path).is_program and load_scripted(path, allow_pickle=False)


def _onnx_audit(path: Path) -> object:
    from condmix.runtime.audit.onnx_file import read_onnx

    return read_onnx(path)


def _onnx_session(path: Path) -> object:
    from condmix.runtime.onnx_session import OnnxRuntimeBackend

    return OnnxRuntimeBackend().open(path, threads=1)


def _tflite_session(path: Path) -> object:
    from condmix.runtime.litert_session import LiteRtBackend

    return LiteRtBackend().open(path, threads=1)


def _ranges(path: Path) -> object:
    from condmix.exporters.quantize.ranges_file import from_text

    return from_text(path.read_text(encoding="utf-8", errors="replace"), samples.FINGERPRINT)


def _fleet(path: Path) -> object:
    from condmix.deploy.devices.fleet import read_fleet

    return read_fleet(path)


def _forms(path: Path) -> object:
    from condmix.exporters.tune.forms_file import read_forms_file

    return read_forms_file(path.read_bytes(), str(path))


READERS: tuple[Reader, ...] = (
    Reader(name="checkpoint", suffix=".pt", sample=samples.checkpoint, read=_checkpoint, cost=10),
    Reader(name="state_dict", suffix=".pt", sample=samples.state_dict, read=_weights, cost=10),
    Reader(name="safetensors", suffix=".safetensors", sample=samples.safetensors, read=_weights, cost=100),
    Reader(name="exported_program", suffix=".pt2", sample=samples.exported_program, read=_exported_program, cost=100),
    Reader(name="torchscript", suffix=".pt", sample=samples.torchscript, read=_torchscript, cost=100),
    Reader(name="bundle", suffix=".zip", sample=samples.bundle, read=_bundle),
    Reader(name="reference", suffix=".npz", sample=samples.reference, read=_reference),
    Reader(name="report", suffix=".json", sample=samples.report, read=_report),
    Reader(name="onnx_source", suffix=".onnx", sample=samples.onnx, read=_onnx_source),
    Reader(name="onnx_audit", suffix=".onnx", sample=samples.onnx, read=_onnx_audit),
    Reader(name="onnx_session", suffix=".onnx", sample=samples.onnx, read=_onnx_session),
    Reader(name="tflite_session", suffix=".tflite", sample=samples.tflite, read=_tflite_session),
    Reader(name="ranges", suffix=".json", sample=samples.ranges, read=_ranges),
    Reader(name="fleet", suffix=".toml", sample=samples.fleet, read=_fleet),
    Reader(name="forms", suffix=".json", sample=samples.forms, read=_forms),
)


def reader_named(name: str) -> Reader:
    """The reader of that name. Raises KeyError."""
    return {reader.name: reader for reader in READERS}[name]
