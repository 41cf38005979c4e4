"""Exporting one case in all its builds, and verifying each: what was found, without a judgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from condmix.exporters.build import Build, build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.verify import verify_onnx
from condmix.runtime.batch_report import BatchProperty
from condmix.runtime.parity_report import ParityReport
from condmix.runtime.tolerance import Tolerance
from tests.conformance.case import ANY_BATCH, ONE_IMAGE, ConformanceCase, Export
from tests.conformance.tflite_proof import ONE_IMAGE as ONE_TFLITE_IMAGE
from tests.conformance.tflite_proof import STORED_KERNELS, THREE_IMAGES, TfliteAttempt, attempt_tflite

TOLERANCE = Tolerance.for_precision("float32")
TFLITE_TOLERANCE = Tolerance.for_precision("float32_tflite")


def _silent(_stage: str) -> None:
    """Nobody is watching."""


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
    tflite: tuple[TfliteAttempt, ...] = ()

    @property
    def one_image(self) -> Attempt:
        """The default build."""
        return self.attempts[0]

    @property
    def any_batch(self) -> Attempt:
        """The dynamic build."""
        return self.attempts[1]


def prove(case: ConformanceCase, report_progress: Callable[[str], None] = _silent) -> Proof:
    """Build the network, capture it once, and export and verify it in all builds of the case."""
    report_progress("build the network")
    network = case.build()
    report_progress("capture")
    prepared = prepare(capture(network, case.input_size), ONE_IMAGE, {}, _silent)
    evidence: Evidence | None = None
    attempts: list[Attempt] = []
    for export in case.exports:
        report_progress(export.label)
        batch = export.options.batch
        try:
            built = build_prepared(prepared, export.options, {}, _silent)
        except NotExportableError as error:
            attempts.append(Attempt(export=export, refusal=str(error)))
            continue
        if evidence is None:
            # As many images as the largest batch needs: they serve every build, and PyTorch runs once.
            evidence = gather(
                built, network, case.input_size, batch=ANY_BATCH.batch, images=None, report_progress=_silent
            )
        else:
            # The stages before the last are those of the first build, which was verified there.
            built = replace(built, stages=(built.final,))
        verification = verify_onnx(built, evidence, batch=batch, tolerance=TOLERANCE, report_progress=_silent)
        attempts.append(Attempt(export=export, build=built, verification=verification))
    assert evidence is not None
    tflite: list[TfliteAttempt] = []
    for options in (ONE_TFLITE_IMAGE, THREE_IMAGES, *((STORED_KERNELS,) if case.condconv_layers else ())):
        report_progress(f"tflite, {options}")
        tflite.append(attempt_tflite(prepared, evidence, options, TFLITE_TOLERANCE))
    return Proof(case=case, attempts=tuple(attempts), tflite=tuple(tflite))


def _excess(report: ParityReport) -> tuple[int, float]:
    worst = report.worst_output
    return (99, 0.0) if worst is None else worst.badness()
