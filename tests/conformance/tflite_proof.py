"""The TFLite files of one case: through the delegate and through the builtin kernels, on one thread and on two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from condmix.exporters.build import Prepared
from condmix.exporters.errors import NotExportableError
from condmix.exporters.tflite.build import TfliteBuild, build_tflite_prepared
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import verify_tflite
from condmix.runtime.tolerance import Tolerance

ONE_IMAGE = TfliteOptions()
THREE_IMAGES = TfliteOptions(batch=3)
STORED_KERNELS = TfliteOptions(condconv="experts")
EXPECTED_RUNS = {(delegate, threads) for delegate in (True, False) for threads in (1, 2)}


@dataclass(frozen=True, kw_only=True)
class TfliteAttempt:
    """One TFLite build of a case: what came out and its verification, or the text of the refusal."""

    options: TfliteOptions
    build: TfliteBuild | None = None
    verification: Verification | None = None
    refusal: str | None = None

    @property
    def label(self) -> str:
        """The options that are not the default, as a user would type them."""
        return f"tflite --batch {self.options.batch} --condconv {self.options.condconv}"


def attempt_tflite(
    prepared: Prepared, evidence: Evidence, options: TfliteOptions, tolerance: Tolerance
) -> TfliteAttempt:
    """Build and verify one file. The stages before it are those of the ONNX export, which was verified there."""
    try:
        built = build_tflite_prepared(prepared, options, {}, lambda _stage: None)
    except NotExportableError as error:
        return TfliteAttempt(options=options, refusal=str(error))
    alone = replace(built, shared=replace(built.shared, stages=()))
    verification = verify_tflite(
        alone,
        evidence,
        batch=options.batch,
        tolerance=tolerance,
        shared_tolerance=tolerance,
        report_progress=lambda _stage: None,
    )
    return TfliteAttempt(options=options, build=built, verification=verification)


def tflite_faults(attempt: TfliteAttempt, *, batch_refused: bool, refused: tuple[str, ...] = ()) -> Iterator[str]:
    """What is wrong with one file. A network that cannot be given a batch has to be refused for three images too.

    refused: words of the reason for which there is to be no file at all.
    """
    if refused and not (batch_refused and attempt.options.batch > 1):
        if attempt.refusal is None:
            yield f"exported, where a refusal was expected ({', '.join(refused)})"
        else:
            yield from (
                f"the refusal does not say {word!r}: {attempt.refusal}"
                for word in refused
                if word not in attempt.refusal
            )
        return
    if attempt.refusal is not None:
        if not (batch_refused and attempt.options.batch > 1):
            yield f"refused: {attempt.refusal}"
        return
    if batch_refused and attempt.options.batch > 1:
        yield "exported for three images, where the dynamic ONNX file is refused"
    verification = attempt.verification
    assert verification is not None
    runs = {(stage.delegate, stage.threads) for stage in verification.stages}
    if runs != EXPECTED_RUNS:
        yield f"ran as {sorted(runs)}, expected {sorted(EXPECTED_RUNS)}"
    for stage in verification.stages:
        if not stage.report.passed:
            yield f"delegate {stage.delegate}, {stage.threads} threads: {stage.report.sentence()}"
    if verification.coverage is None or verification.coverage.operators == 0:
        yield "the delegate's operators were not counted"
    if verification.blame is not None:
        yield f"the first module beyond the limit is {verification.blame.module_path}"
    if not verification.passed:
        yield "the verification did not pass"
