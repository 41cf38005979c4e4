"""Reports with known samples, made without measuring anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from condmix.runtime.bench.environment import Core, Environment
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Agreement, Opening, Samples, SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.cpu import CpuFacts

SETTINGS = BenchSettings(minimum_runs=100, minimum_seconds=0.01, block=5, openings=2)
ENVIRONMENT = Environment(
    cpu=CpuFacts(
        architecture="aarch64",
        system="Linux 6.1",
        model_names=("implementer 0x41 part 0xd05",),
        features=("ASIMD", "dotprod"),
        logical_cores=2,
        usable_cores=2,
        versions=(("python", "3.11.7"), ("numpy", "2.1.0"), ("onnxruntime", "1.22.0")),
    ),
    cores=(
        Core(number=0, governor="performance", maximum_khz=1_800_000, current_khz=1_800_000),
        Core(number=1, governor="performance", maximum_khz=1_800_000, current_khz=None),
    ),
    temperatures_celsius={"cpu-thermal": 41.5},
    load_average=(0.1, 0.2, 0.3),
    memory_total_bytes=4_000_000_000,
    memory_available_bytes=3_000_000_000,
    stolen_seconds=0.0,
    throttled_periods=0,
    throttled_seconds=0.0,
    cpu_quota_cores=None,
    hypervisor=False,
    emulated=False,
    power="mains",
    unreadable={"frequency of core 1": "Permission denied"},
)
AGREEMENT = Agreement(
    source="PyTorch 2.9, float64",
    images=8,
    max_abs_difference=1e-6,
    limit=1e-4,
    top1_agreement=1.0,
    sqnr_db=120.0,
    passed=True,
    detail="largest difference 1e-06 of at most 0.0001",
)
OPENING = Opening(
    load_ns=30_000_000,
    first_inference_ns=4_000_000,
    warmup_wall_ns=(1_200_000, 1_100_000),
    memory_before_bytes=30_000_000,
    memory_loaded_bytes=60_000_000,
    peak_memory_bytes=80_000_000,
)


def noisy_wall_ns(center_ns: float, *, seed: int, rounds: int = 40, block: int = 5, noise: float = 0.01) -> np.ndarray:
    """[rounds * block] samples about the center."""
    return (center_ns * np.random.default_rng(seed).normal(1, noise, rounds * block)).astype(np.int64)


def samples_of(wall_ns: np.ndarray, *, block: int = 5, openings: int = 2, cpu_share: float = 1.0) -> Samples:
    """One sample every 10 ms, whole rounds."""
    runs = np.arange(len(wall_ns))
    return Samples(
        start_ns=tuple((runs * 10_000_000).tolist()),
        wall_ns=tuple(wall_ns.tolist()),
        cpu_ns=tuple((wall_ns * cpu_share).astype(np.int64).tolist()),
        round=tuple((runs // block).tolist()),
        opening=tuple((runs // block % openings).tolist()),
        input=tuple((runs % 8).tolist()),
    )


def subject_record(name: str, wall_ns: np.ndarray, **changes: object) -> SubjectRecord:
    """A record of a subject in ONNX Runtime; changes are fields."""
    record = SubjectRecord(
        subject=BenchSubject(name=name, file=Path("net.onnx"), engine="onnxruntime"),
        format="onnx",
        precision="float32",
        sha256="0" * 64,
        size_bytes=1234,
        engine_version="1.22.0",
        inputs={"image": (1, 3, 8, 8)},
        input_source="reference",
        openings=(OPENING, OPENING),
        samples=samples_of(wall_ns),
        agreement=AGREEMENT,
        delegate_coverage=None,
        failure=None,
    )
    return replace(record, **changes)


def make_report(walls: Mapping[str, np.ndarray] | None = None, **changes: object) -> BenchReport:
    """A report of "a", "half" and "a (again)", or of the samples given; changes are fields."""
    if walls is None:
        walls = {
            "a": noisy_wall_ns(1e6, seed=0),
            "half": noisy_wall_ns(5e5, seed=1),
            "a (again)": noisy_wall_ns(1e6, seed=2),
        }
    names = list(walls)
    report = BenchReport(
        condmix_version="0.1.0",
        created="2026-11-22T10:00:00+00:00",
        command=("condmix", "bench", "net.onnx"),
        settings=SETTINGS,
        subjects=tuple(subject_record(name, wall_ns) for name, wall_ns in walls.items()),
        control=names[-1],
        environment_before=ENVIRONMENT,
        environment_after=ENVIRONMENT,
        rounds=len(walls[names[0]]) // SETTINGS.block,
        interrupted=None,
        verdict=Verdict(findings=(Finding(verdict=Judgement.VALID, reason="nothing was found against it"),)),
    )
    return replace(report, **changes)
