"""Timing a subject's files in one interleaved run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from condmix.deploy.bench.int8_files import QUANTIZE_STATIC, int8_bytes, quantize_static_bytes
from condmix.deploy.bench.subjects import Subject, condmix_bytes, settled_network, stock_bytes
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.onnx_session import OnnxRuntimeBackend

STOCK = "stock"
TWIN = "static twin"


@dataclass(frozen=True, kw_only=True)
class SubjectResult:
    """One network's measurement and the sizes of its files."""

    network: str
    report: LatencyReport
    size_bytes: Mapping[str, int]

    def rows(self) -> list[dict[str, object]]:
        """A row a candidate: median, ratio to stock with its interval, on the clock of the computing thread."""
        rows: list[dict[str, object]] = []
        for candidate in self.report.candidates:
            ratio = self.report.ratio(candidate.name, STOCK, Clock.CPU)
            rows.append(
                {
                    "network": self.network,
                    "file": candidate.name,
                    "median_ms": candidate.median_ns(Clock.CPU) / 1e6,
                    "runs": len(candidate.cpu_ns),
                    "ratio_to_stock": ratio.ratio,
                    "low": ratio.low,
                    "high": ratio.high,
                    "different": self.report.is_different(ratio),
                    "size_bytes": self.size_bytes.get(candidate.name),
                }
            )
        return rows


def measure_subject(subject: Subject, size: int, settings: LatencySettings) -> SubjectResult:
    """Build all files of a subject and time them, one thread each, in one interleaved run."""
    module = settled_network(subject.network, subject.settings, size)
    files = {STOCK: stock_bytes(module, size), **condmix_bytes(subject, module, size)}
    files |= int8_bytes(module, size, conditional=subject.twin is not None)
    files[QUANTIZE_STATIC] = quantize_static_bytes(files[STOCK], size)
    if subject.twin is not None:
        files[TWIN] = stock_bytes(settled_network(subject.twin, {}, size), size)
    image = np.random.default_rng(0).standard_normal((1, 3, size, size)).astype(np.float32)
    report = measure({name: _runner(content, image) for name, content in files.items()}, settings=settings)
    return SubjectResult(
        network=subject.network, report=report, size_bytes={name: len(content) for name, content in files.items()}
    )


def _runner(content: bytes, image: np.ndarray) -> Callable[[], object]:
    session = OnnxRuntimeBackend().open(content, threads=1)
    feeds = {session.signature.inputs[0].name: image}
    return lambda: session.run(feeds)
