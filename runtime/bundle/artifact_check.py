"""Whether one artifact, run in its engine here, computes what PyTorch did."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.runtime.artifact import Format
from condmix.runtime.bench.identity import identify
from condmix.runtime.bench.reference import Limit, Reference
from condmix.runtime.bench.running import RunningSubject
from condmix.runtime.bench.samples import Agreement
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import LITERT, ONNXRUNTIME, BenchSubject
from condmix.runtime.bench.worker_process import StartWorker, start_worker
from condmix.runtime.errors import EngineMissingError
from condmix.runtime.litert_session import EXTRA as LITERT_EXTRA
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Backend

ENGINE_OF: Mapping[Format, str] = {Format.ONNX: ONNXRUNTIME, Format.TFLITE: LITERT}
TIMEOUT_SECONDS = 300.0
_MODULE_OF = {Format.ONNX: "onnxruntime", Format.TFLITE: "ai_edge_litert"}
_EXTRA_OF = {Format.ONNX: ONNXRUNTIME, Format.TFLITE: LITERT_EXTRA}


@dataclass(frozen=True, kw_only=True)
class ArtifactCheck:
    """What came of one artifact.

    missing: why its engine cannot be used here, then nothing was run. failure: why it could not be run though its
    engine is there. agreement: the comparison, where there was one. precision: "float32" or "int8", None when not
    known. inputs: name -> shape of one run.
    """

    name: str
    format: Format
    engine: str
    engine_version: str
    precision: str | None
    inputs: Mapping[str, tuple[int, ...]]
    agreement: Agreement | None
    failure: str | None
    missing: str | None

    @property
    def passed(self) -> bool:
        """It was run, and every output was within its limit."""
        return self.agreement is not None and self.agreement.passed and self.failure is None

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "format": str(self.format),
            "engine": self.engine,
            "engine_version": self.engine_version,
            "precision": self.precision,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "passed": self.passed,
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "failure": self.failure,
            "missing": self.missing,
        }


def check_artifact(
    path: Path,
    format: Format,
    reference: Reference,
    limit: Limit | None,
    *,
    threads: int = 1,
    start: StartWorker = start_worker,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> ArtifactCheck:
    """All images of the reference were fed to the file at `path`, in a process that may break down with it.

    limit: what counts, whatever the reference says; None: the float32 tolerance of the format.
    Raises ModelUnreadableError when the file cannot be read or is of another format.
    """
    engine = ENGINE_OF[format]
    nothing = ArtifactCheck(
        name=path.name,
        format=format,
        engine=engine,
        engine_version="",
        precision=None,
        inputs={},
        agreement=None,
        failure=None,
        missing=None,
    )
    if importlib.util.find_spec(_MODULE_OF[format]) is None:
        missing = EngineMissingError(engine, _EXTRA_OF[format], "it is not installed")
        return dataclasses.replace(nothing, missing=str(missing))
    subject = BenchSubject(name=path.name, file=path, engine=engine, threads=threads)
    running = RunningSubject(
        subject=subject,
        identity=identify([subject])[subject.name],
        settings=BenchSettings(warmup_runs=0, warmup_seconds=0.0, openings=1),
        start=start,
        given=None,
        reference=dataclasses.replace(reference, limits={} if limit is None else {path.name: limit}),
        timeout_seconds=timeout_seconds,
    )
    try:
        running.open()
        record = running.record()
    finally:
        running.close()
    # Only where it failed is the engine imported here too, to tell a broken engine from a broken file.
    missing_text = None if running.failure is None else _backend(format).available()
    return dataclasses.replace(
        nothing,
        engine_version=record.engine_version,
        precision=record.precision,
        inputs=dict(record.inputs),
        agreement=record.agreement,
        failure=None if missing_text is not None else record.failure,
        missing=missing_text,
    )


def _backend(format: Format) -> Backend:
    return OnnxRuntimeBackend() if format is Format.ONNX else LiteRtBackend()
