"""Opening a subject in its engine, timed, within the worker."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME, TFLITE_RUNTIME
from condmix.runtime.bench.timing import Opened
from condmix.runtime.delegate_coverage import coverage
from condmix.runtime.errors import EngineMissingError
from condmix.runtime.litert_session import ENGINE as LITERT_PACKAGE
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.onnx_session import ENGINE as ONNX_PACKAGE
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.tflite_worker import Head

_QUANTIZE = "QUANTIZE"
_MODULES = {
    ONNXRUNTIME: ("onnxruntime", "onnxruntime"),
    LITERT: ("ai_edge_litert", "litert"),
    TFLITE_RUNTIME: ("tflite_runtime", "litert"),
}
_PACKAGES = {LITERT: LITERT_PACKAGE, TFLITE_RUNTIME: TFLITE_RUNTIME}


def open_subject(head: Head) -> Opened:
    """The file, open in the engine, which is imported first and beyond the clock.

    Raises EngineMissingError, ModelUnreadableError or InvalidSettingError.
    """
    path = Path(head["file"])
    return _open_onnx(path, head) if head["engine"] == ONNXRUNTIME else _open_tflite(path, head)


def _open_onnx(path: Path, head: Head) -> Opened:
    backend = OnnxRuntimeBackend()
    backend.available()  # imports the engine, whose time is not that of the model; open() says why it cannot
    start = time.perf_counter_ns()
    session = backend.open(path, threads=head["threads"])
    load_ns = time.perf_counter_ns() - start
    return Opened(session=session, engine_version=_version(ONNX_PACKAGE, _MODULES[ONNXRUNTIME][0]), load_ns=load_ns)


def _open_tflite(path: Path, head: Head) -> Opened:
    """In LiteRT, or in tflite-runtime, which stands under its name in a worker of its own."""
    backend = LiteRtBackend()
    backend.available()  # imports the engine, whose time is not that of the model; open() says why it cannot
    backend.check(path)  # ours, not the engine's: beyond the clock as well
    start = time.perf_counter_ns()
    session = backend.open_checked(path, threads=head["threads"], delegate=head["delegate"])
    load_ns = time.perf_counter_ns() - start
    scales = session.end_scales()
    return Opened(
        session=session,
        engine_version=_version(_PACKAGES[head["engine"]], _MODULES[head["engine"]][0]),
        load_ns=load_ns,
        scales=scales,
        holds_integers=bool(scales) or any(node.operator == _QUANTIZE for node in session.nodes()),
        describe=lambda: _coverage(session),
    )


def _coverage(session: LiteRtSession) -> Mapping[str, object] | None:
    return coverage(session).to_dict() if session.uses_delegate else None


def missing_engine(engine: str) -> str | None:
    """The sentence for an engine of subjects that is not installed beside this interpreter, with the line that
    installs it; None when it is there. Nothing is imported, so one that is there may still not load."""
    module, extra = _MODULES[engine]
    if importlib.util.find_spec(module) is not None:
        return None
    return str(EngineMissingError(engine, extra, f"there is no package {module!r} for {sys.executable}"))


def _version(package: str, module: str) -> str:
    """Of the installed package, or in the module's own words where it was only copied."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(sys.modules.get(module), "__version__", "unknown"))
