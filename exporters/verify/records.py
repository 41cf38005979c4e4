"""What verification found: parity of every stage, of every batch size, and the module to blame when one fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from condmix.exporters.verify.rounded import RoundedVerification
from condmix.exporters.verify.size_report import SizeReport
from condmix.runtime.batch_report import BatchReport, BatchVerdict
from condmix.runtime.delegate_coverage import DelegateCoverage
from condmix.runtime.parity_report import ParityReport


@dataclass(frozen=True, kw_only=True)
class StageParity:
    """One stage of the export, or one finished file, against PyTorch in float64."""

    stage: str
    threads: int
    report: ParityReport
    engine: str = "onnxruntime"
    delegate: bool | None = None
    """Whether LiteRT's delegate was on; None for an engine without one."""


@dataclass(frozen=True, kw_only=True)
class RoutingSpread:
    """How far apart the images drive the routing: per routing value, the largest difference of any expert."""

    largest_difference: Mapping[str, float]
    idle: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Routing value -> experts, from 0, whose gate stays near zero on every image: parity says nothing of them."""

    @property
    def smallest(self) -> float | None:
        """The least spread of any CondConv block; None for a network without CondConv."""
        return min(self.largest_difference.values(), default=None)

    @property
    def differs(self) -> bool:
        """Whether every block's routing moved by more than rounding. True for a network without CondConv."""
        return all(difference > LEAST_SPREAD for difference in self.largest_difference.values())


LEAST_SPREAD = 1e-4
"""Routing weights lie in [0, 1] or so; float32 rounding moves them by 1e-7."""


BLOCKS_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """The images verification ran on."""

    count: int
    sources: tuple[str, ...]
    """One word an image: noise, photograph, digit, or a file's name."""
    sha256: str
    routing: RoutingSpread


@dataclass(frozen=True, kw_only=True)
class Blame:
    """The first PyTorch module, in order of computation, whose value leaves the tolerance at a stage."""

    stage: str
    module_path: str
    value_name: str
    report: ParityReport


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The whole proof. `passed` is the only thing that decides about the file's name."""

    images: ImageFacts
    stages: tuple[StageParity, ...]
    batches: BatchReport | None
    """Only for files with a batch axis other than one."""
    blame: Blame | None
    yardstick: str = "PyTorch"
    """Whose results in float64 everything was compared with."""
    coverage: DelegateCoverage | None = None
    """How much of a TFLite file the delegate takes."""
    sizes: SizeReport | None = None
    """Only for files with any height and width."""
    rounded: RoundedVerification | None = None
    """Of a file that is judged by agreement, for its banks are int8; the last stage is then its twin in float32."""

    @property
    def passed(self) -> bool:
        """Every stage and every batch size within tolerance, and a rounded file in agreement."""
        stages_pass = all(stage.report.passed for stage in self.stages)
        rounded_passes = self.rounded is None or self.rounded.passed
        sizes_pass = self.sizes is None or self.sizes.passed
        return (
            stages_pass
            and rounded_passes
            and sizes_pass
            and (self.batches is None or self.batches.verdict is BatchVerdict.PASS)
        )

    @property
    def final(self) -> ParityReport:
        """The report of the graph that goes into the file, or of its twin in float32."""
        return self.stages[-1].report

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know although everything passed."""
        if self.images.routing.differs:
            return ()
        still = [name for name, spread in self.images.routing.largest_difference.items() if spread <= LEAST_SPREAD]
        return (
            f"the routing of {len(still)} CondConv blocks does not move between the verification images "
            f"({', '.join(still[:3])}): parity says nothing about how their experts are mixed; is the network trained?",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the proof does not reach: experts that no image opens."""
        idle = self.images.routing.idle
        if not idle:
            return ()
        shown = [f"{_numbered(experts)} of '{name}'" for name, experts in list(idle.items())[:BLOCKS_SHOWN]]
        rest = len(idle) - BLOCKS_SHOWN
        more = f" and of {rest} more block{'' if rest == 1 else 's'}" if rest > 0 else ""
        return (
            f"no verification image opens {', '.join(shown)}{more}: parity says nothing of what is stored for them; "
            "--images with pictures that do would",
        )

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "passed": self.passed,
            **({} if self.yardstick == "PyTorch" else {"yardstick": self.yardstick}),
            "warnings": list(self.warnings),
            **({"notes": list(self.notes)} if self.notes else {}),
            "images": {
                "count": self.images.count,
                "sources": list(self.images.sources),
                "sha256": self.images.sha256,
                "routing_spread": dict(self.images.routing.largest_difference),
            },
            "stages": [
                {
                    "stage": item.stage,
                    "engine": item.engine,
                    "delegate": item.delegate,
                    "threads": item.threads,
                    "parity": item.report.to_dict(),
                }
                for item in self.stages
            ],
            **({} if self.rounded is None else {"rounded": self.rounded.to_dict()}),
            "batches": None if self.batches is None else self.batches.to_dict(),
            **({} if self.sizes is None else {"sizes": self.sizes.to_dict()}),
            "delegate_coverage": None if self.coverage is None else self.coverage.to_dict(),
            "blame": None
            if self.blame is None
            else {
                "stage": self.blame.stage,
                "module": self.blame.module_path,
                "value": self.blame.value_name,
                "parity": self.blame.report.to_dict(),
            },
        }


def _numbered(experts: tuple[int, ...]) -> str:
    numbers = ", ".join(map(str, experts))
    return f"experts {numbers}" if len(experts) > 1 else f"expert {numbers}"
