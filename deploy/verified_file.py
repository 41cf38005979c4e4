"""A file's content with its proof, not yet on the disk: the last step before names are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.detect.flags import NMS
from condmix.deploy.format_choices import ONNX, TFLITE
from condmix.deploy.metadata import condmix_version
from condmix.deploy.plan import Plan
from condmix.deploy.record import FileOutcome
from condmix.deploy.second_runtime import SecondOpinion, second_opinion, tolerance_met
from condmix.deploy.tflite_site import default_site
from condmix.exporters.build import Build
from condmix.exporters.detection.proof import SuppressionProof, suppressed
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerRecord, RewriteStep
from condmix.exporters.sizes.choice import FreeSize
from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.agreement import judge_onnx, judge_tflite
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.sizes import check_sizes
from condmix.exporters.verify.tflite import in_layout, verify_tflite
from condmix.exporters.verify.verify import verify_onnx
from condmix.runtime.artifact import Artifact, Format, Precision, describe_file
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.signature import Signature, TensorSpec


@dataclass(frozen=True, kw_only=True)
class VerifiedFile:
    """The bytes of one file and everything known of them."""

    format: str
    content: bytes
    options: ExportOptions | TfliteOptions
    opset: int | None
    layers: tuple[LayerRecord, ...]
    steps: tuple[RewriteStep, ...]
    verification: Verification
    second_runtime: SecondOpinion | None = None
    suppression: SuppressionProof | None = None

    @property
    def passed(self) -> bool:
        """It computes what PyTorch computes, and suppression behind it what its definition says."""
        return self.verification.passed and (self.suppression is None or self.suppression.passed)

    def outcome(self, artifact: Artifact) -> FileOutcome:
        """The record of the file that lies where `artifact` says."""
        return FileOutcome(
            artifact=artifact,
            options=self.options,
            opset=self.opset,
            layers=self.layers,
            steps=self.steps,
            verification=self.verification,
            second_runtime=self.second_runtime,
            suppression=self.suppression,
        )


def verified_onnx(
    plan: Plan,
    build: Build,
    evidence: Evidence,
    report_progress: Callable[[str], None],
    sizes: FreeSize | None = None,
) -> VerifiedFile:
    """The ONNX file of the build with its proof, whatever that came to. sizes: of one for any height and width."""
    options = plan.choices.onnx
    assert options is not None
    verification = verify_onnx(
        build,
        evidence,
        batch=options.batch,
        tolerance=plan.tolerances.float32,
        report_progress=report_progress,
        last_tolerance=plan.tolerances.onnx,
        judge_last=judge_onnx if ONNX in plan.tolerances.by_agreement else None,
    )
    if sizes is not None and verification.passed:
        proven = check_sizes(
            build.final.proto,
            evidence.oracle,
            evidence.images.array_nchw.shape[1],
            sizes,
            batch=options.batch,
            tolerance=plan.tolerances.onnx,
            report_progress=report_progress,
        )
        verification = dataclasses.replace(verification, sizes=proven)
    proto, suppression = build.final.proto, None
    if plan.loading.detection.detections == NMS and verification.passed:
        report_progress("suppression")
        proto, suppression = suppressed(proto, evidence.images.array_nchw, plan.loading.detection.suppression)
    return VerifiedFile(
        format=ONNX,
        content=proto.SerializeToString(deterministic=True),
        suppression=suppression,
        options=options,
        opset=next(int(entry.version) for entry in build.final.proto.opset_import if not entry.domain),
        layers=build.layers,
        steps=build.steps,
        verification=verification,
    )


def verified_tflite(
    plan: Plan, build: TfliteBuild, evidence: Evidence, report_progress: Callable[[str], None]
) -> VerifiedFile:
    """The TFLite file of the build with its proof, and what the older runtime makes of it once it has passed."""
    options = plan.choices.tflite
    assert options is not None
    verification = verify_tflite(
        build,
        evidence,
        batch=options.batch,
        tolerance=plan.tolerances.tflite,
        shared_tolerance=plan.tolerances.float32,
        report_progress=report_progress,
        judge=judge_tflite if TFLITE in plan.tolerances.by_agreement else None,
    )
    opinion = SecondOpinion(compatible=None, said="the file was rejected")
    if verification.passed:
        report_progress("ask tflite-runtime")
        opinion = second_opinion(
            build.content,
            in_layout(evidence.images.array_nchw, build.layout),
            batch=options.batch,
            tolerance=tolerance_met(plan.tolerances.tflite, verification.final),
            site=default_site(),
        )
    return VerifiedFile(
        format=TFLITE,
        content=build.content,
        options=options,
        opset=None,
        layers=build.shared.layers,
        steps=build.shared.steps,
        verification=verification,
        second_runtime=opinion,
    )


def describe(written: Path, file: VerifiedFile, source_sha256: str | None) -> Artifact:
    """The file as it is on the disk, opened once more by the engine that is to run it."""
    backend = OnnxRuntimeBackend() if file.format == ONNX else LiteRtBackend()
    signature = backend.open(written, threads=1).signature
    stage = f", stage {file.options.stage}" if isinstance(file.options, ExportOptions) else ""
    layout = file.options.layout.upper() if isinstance(file.options, TfliteOptions) else "NCHW"
    return describe_file(
        written,
        format=Format(file.format),
        precision=Precision.FLOAT32,  # of the arithmetic, however the weights are stored
        signature=Signature(
            inputs=tuple(_laid_out(spec, layout) for spec in signature.inputs),
            outputs=tuple(_laid_out(spec, "NCHW") for spec in signature.outputs),
        ),
        parent_sha256=source_sha256,
        produced_by=f"condmix {condmix_version()} export{stage}",
    )


def _laid_out(spec: TensorSpec, layout: str) -> TensorSpec:
    """The same with the meaning of its axes, where it has as many; results keep PyTorch's order in both formats."""
    return dataclasses.replace(spec, layout=layout) if len(spec.shape) == len(layout) else spec
