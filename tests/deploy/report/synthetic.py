"""A report as condmix bench makes it, from seeded numbers: six subjects in shuffled turns, every section filled."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from condmix.runtime.bench.environment import Core, Environment
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Agreement, Opening, Samples, SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.cpu import CpuFacts
from tests.deploy.report.synthetic_profile import profile

BLOCK = 5
ROUNDS = 44
CONTROL = "stock.onnx (again)"
COVERAGE = {"schema_version": 1, "operators": 41, "delegated": 40, "partitions": 2, "not_delegated": {"PACK": 1}}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a subject is made of."""

    name: str
    median_ms: float
    engine: str = "onnxruntime"
    precision: str = "float32"
    size_bytes: int = 17_200_000
    drift: float = 0.0
    top1: float = 1.0


KINDS = (
    Kind(name="stock.onnx", median_ms=15.3),
    Kind(name="condmix.onnx", median_ms=10.5, size_bytes=16_700_000),
    Kind(name="condmix_int8.onnx", median_ms=7.46, precision="int8", size_bytes=4_600_000, top1=0.875),
    Kind(name="condmix.tflite", median_ms=12.9, engine="litert", size_bytes=16_900_000, drift=0.12),
    Kind(name="condmix_int8.tflite", median_ms=7.50, engine="litert", precision="int8", size_bytes=4_700_000, top1=1.0),
    Kind(name=CONTROL, median_ms=15.32),
)


def shortened(report: BenchReport, rounds: int) -> BenchReport:
    """The report as after so many rounds; few of them are too few for intervals."""
    subjects = tuple(replace(one, samples=_first(one.samples, rounds * BLOCK)) for one in report.subjects)
    return replace(report, subjects=subjects, rounds=rounds)


def _first(samples: Samples, runs: int) -> Samples:
    return Samples(**{field.name: getattr(samples, field.name)[:runs] for field in fields(Samples)})


def environment(**changes: object) -> Environment:
    """A machine that tells about as much as a virtual one does; changes are fields."""
    made = Environment(
        cpu=CpuFacts(
            architecture="x86_64",
            system="Linux 6.1.0",
            model_names=("An Example CPU @ 2.60GHz",),
            features=("AVX", "FMA", "AVX2", "AVX-512-VNNI"),
            logical_cores=2,
            usable_cores=2,
            versions=(("python", "3.11.7"), ("numpy", "2.4.6"), ("onnxruntime", "1.31.1")),
        ),
        cores=(
            Core(number=0, governor="schedutil", maximum_khz=2_600_000, current_khz=2_100_000),
            Core(number=1, governor="schedutil", maximum_khz=2_600_000, current_khz=None),
        ),
        temperatures_celsius={},
        load_average=(0.42, 0.51, 0.6),
        memory_total_bytes=8_000_000_000,
        memory_available_bytes=5_300_000_000,
        stolen_seconds=12.25,
        throttled_periods=0,
        throttled_seconds=0.0,
        cpu_quota_cores=None,
        hypervisor=True,
        emulated=False,
        power=None,
        unreadable={"temperatures": "no thermal zone", "power": "no power supply is listed"},
    )
    return replace(made, **changes)


def full_report(**changes: object) -> BenchReport:
    """A report with everything; changes are fields."""
    return replace(_whole(), **changes) if changes else _whole()


@cache
def _whole() -> BenchReport:
    samples = _samples()
    before = environment()
    return BenchReport(
        condmix_version="0.1.0",
        created="2026-11-22T10:00:00+00:00",
        command=("condmix", "bench", "stock.onnx", "condmix.onnx", "--runs", "220", "-o", "a folder"),
        settings=BenchSettings(minimum_runs=220, minimum_seconds=2.0, block=BLOCK, openings=2),
        subjects=tuple(_record(kind, samples[kind.name]) for kind in KINDS),
        control=CONTROL,
        environment_before=before,
        environment_after=environment(load_average=(1.1, 0.7, 0.6), stolen_seconds=14.5),
        rounds=ROUNDS,
        interrupted=None,
        verdict=Verdict(
            findings=(
                Finding(verdict=Judgement.NOISY, reason="the load average rose from 0.42 to 1.10 while measuring"),
            ),
            machine=before.machine(),
        ),
        sections=sections(),
    )


def sections() -> dict[str, object]:
    """Every section of the agreed shapes."""
    return {
        "profile": {"condmix.onnx": profile(), "condmix.tflite": {**profile(), "operators": [], "special": []}},
        "routing": {"condmix": {"blocks": _routing_blocks(), "source": "64 photographs"}},
        "batch_curve": {
            "condmix.onnx": _curve(10.5, 0.93, "condmix.onnx"),
            "stock.onnx": _curve(15.3, 0.99, "stock.onnx"),
        },
        "input_dependence": {
            "condmix.onnx": {
                "inputs": [
                    {"input": number, "median_ns": 10.5e6 + 2e4 * (number * 5 % 8), "runs": 27} for number in range(8)
                ],
                "spread": 0.013,
                "low": 0.0,
                "high": 0.02,
                "depends": False,
                "sentence": "the slowest of 8 inputs takes 1.3 % longer than the fastest: no more than by chance",
            }
        },
        "accuracy": {
            kind.name: {
                "top1": 0.931 if kind.precision == "float32" else 0.912 + 0.002 * place,
                "images": 1797,
                "source": "digits",
            }
            for place, kind in enumerate(KINDS[:5])
        },
        "int8": {
            "condmix_int8.onnx": {
                "verdict": "83.9 % of multiply-adds run in int8; 1 float island",
                "multiply_adds": 1000,
                "islands": [
                    {
                        "where": ["blocks.0.dw"],
                        "operators": {"Conv": 2, "Add": 1},
                        "multiply_adds": 161,
                        "time_us": None,
                        "reason": "not fused by the runtime",
                        "detail": "Conv between DequantizeLinear",
                        "advice": "quantise its bias",
                    }
                ],
            }
        },
    }


def _samples() -> dict[str, Samples]:
    """Shuffled rounds on one clock, each turn a block of runs; a few runs take far longer."""
    generator = np.random.default_rng(7)
    now = 0
    runs: dict[str, list[tuple[int, ...]]] = {kind.name: [] for kind in KINDS}
    for number in range(ROUNDS):
        for place in generator.permutation(len(KINDS)):
            kind = KINDS[place]
            center = kind.median_ms * 1e6 * (1 + kind.drift * number / ROUNDS) * (1.015 if number % 2 else 1.0)
            for _ in range(BLOCK):
                wall = int(center * generator.lognormal(0.0, 0.018))
                wall = int(wall * generator.uniform(1.6, 4.0)) if generator.random() < 0.015 else wall
                # start, wall, cpu, round, opening, input
                run = (now, wall, int(wall * 0.99), number, number % 2, len(runs[kind.name]) % 8)
                runs[kind.name].append(run)
                now += wall + 200_000
    fields = ("start_ns", "wall_ns", "cpu_ns", "round", "opening", "input")
    return {
        name: Samples(**dict(zip(fields, map(tuple, zip(*of_one, strict=True)), strict=True)))
        for name, of_one in runs.items()
    }


def _record(kind: Kind, samples: Samples) -> SubjectRecord:
    int8 = kind.precision == "int8"
    file = Path(kind.name.removesuffix(" (again)"))
    opening = Opening(
        load_ns=int(kind.median_ms * 4e6),
        first_inference_ns=int(kind.median_ms * 2.1e6),
        warmup_wall_ns=tuple(int(kind.median_ms * 1e6 * factor) for factor in (1.4, 1.1, 1.05, 1.02, 1.0)),
        memory_before_bytes=31_000_000,
        memory_loaded_bytes=62_000_000 + kind.size_bytes,
        peak_memory_bytes=78_000_000 + 2 * kind.size_bytes,
    )
    return SubjectRecord(
        subject=BenchSubject(name=kind.name, file=file, engine=kind.engine),
        format=file.suffix.lstrip("."),
        precision=kind.precision,
        sha256=f"{sum(map(ord, kind.name)):064x}",
        size_bytes=kind.size_bytes,
        engine_version="1.31.1" if kind.engine == "onnxruntime" else "2.3.0",
        inputs={"image": (1, 3, 224, 224)},
        input_source="reference",
        openings=(opening, replace(opening, load_ns=opening.load_ns + 3_000_000, peak_memory_bytes=None)),
        samples=samples,
        agreement=Agreement(
            source="PyTorch, float64",
            images=8,
            max_abs_difference=0.21 if int8 else 3.1e-6,
            limit=None if int8 else 1e-4,
            top1_agreement=kind.top1,
            sqnr_db=21.0 if int8 else 118.0,
            passed=True,
            detail="compared with PyTorch in float64 on 8 images",
        ),
        delegate_coverage=COVERAGE if kind.engine == "litert" else None,
        failure=None,
    )


def _routing_blocks() -> list[dict[str, object]]:
    """From one heap in the middle to two at the ends, as the seed paper finds with depth."""
    generator = np.random.default_rng(3)
    edges = np.linspace(0, 1, 21)
    blocks = []
    for depth, name in enumerate(("blocks.4.0", "blocks.5.0", "blocks.5.2")):
        shape = (4.0, 1.0, 0.25)[depth]
        weights = generator.beta(shape, shape * generator.uniform(0.6, 1.6, size=8)[:, None], size=(8, 64))
        blocks.append(
            {
                "block": name,
                "experts": 8,
                "images": 64,
                "bin_edges": edges.tolist(),
                "counts": [np.histogram(row, edges)[0].tolist() for row in weights],
                "mean": weights.mean(axis=1).tolist(),
            }
        )
    return blocks


def _curve(image_ms: float, gain: float, subject: str) -> list[dict[str, object]]:
    return [
        {
            "batch": batch,
            "median_ns": image_ms * 1e6 * batch * gain ** (batch - 1),
            "per_image_ns": image_ms * 1e6 * gain ** (batch - 1),
            "subject": subject,
        }
        for batch in (1, 2, 3, 4, 8)
    ]
