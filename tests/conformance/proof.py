"""Exporting one case in all its builds, and verifying each: what was found, without a judgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify import verify
from condmix.exporters.verify.records import Verification
from condmix.runtime.batch_report import BatchProperty
from condmix.runtime.parity_report import ParityReport
from condmix.runtime.tolerance import Tolerance

from tests.conformance.case import ConformanceCase, Export

TOLERANCE = Tolerance.for_precision("float32")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One build of a case: what came out and its verification, or the text of the refusal."""

    export: Export
    build: Build | None = None
    verification: Verification | None = None
    refusal: str | None = None

    @property
    def worst(self) -> ParityReport | None:
        """The comparison with PyTorch that came out worst: of any stage, any batch size, any number of threads."""
        return max(self._reports(), key=_excess, default=None)

    def _reports(self) -> list[ParityReport]:
        if self.verification is None:
            return []
        reports = [stage.report for stage in self.verification.stages]
        if self.verification.batches is not None:
            reports += [
                case.parity
                for case in self.verification.batches.cases
                if case.parity is not None and case.batch_property is BatchProperty.REFERENCE
            ]
        return reports


@dataclass(frozen=True, kw_only=True)
class Proof:
    """All builds of a case, from one capture."""

    case: ConformanceCase
    attempts: tuple[Attempt, ...]

    @property
    def one_image(self) -> Attempt:
        """The default build."""
        return self.attempts[0]

    @property
    def any_batch(self) -> Attempt:
        """The dynamic build."""
        return self.attempts[1]


def prove(case: ConformanceCase, report_progress: Callable[[str], None] = lambda _: None) -> Proof:
    """Build the network, capture it once, and export and verify it in all builds of the case."""
    network = case.build()
    report_progress("capture")
    captured = capture(network, case.input_size)
    attempts: list[Attempt] = []
    for export in case.exports:
        report_progress(export.label)
        try:
            built = build_from(captured, export.options, {}, lambda _: None)
        except NotExportableError as error:
            attempts.append(Attempt(export=export, refusal=str(error)))
            continue
        # The stages before the last are those of the first build: verified there, and again they cost time only.
        checked = replace(built, stages=(built.stages[0], built.final)) if attempts else built
        verification = verify(
            checked,
            network,
            case.input_size,
            batch=export.options.batch,
            tolerance=TOLERANCE,
            images=None,
            report_progress=lambda _: None,
        )
        attempts.append(Attempt(export=export, build=built, verification=verification))
    return Proof(case=case, attempts=tuple(attempts))


def final_options(proof: Proof) -> tuple[ExportOptions, ...]:
    """The options of every build that led to a file."""
    return tuple(attempt.export.options for attempt in proof.attempts if attempt.build is not None)


def _excess(report: ParityReport) -> tuple[int, float]:
    worst = report.worst_output
    return (99, 0.0) if worst is None else worst.badness()
