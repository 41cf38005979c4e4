"""One int8 export from a plan to files. Read it top to bottom; nothing here prints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

from condmix.deploy.any_size import size_notes
from condmix.deploy.atomic import PendingFiles, pending_files, require_room
from condmix.deploy.calibration_images import CalibrationImages, open_calibration_images
from condmix.deploy.costs import StageClock, peak_memory_bytes
from condmix.deploy.errors import ImagesError, PlanError
from condmix.deploy.format_choices import ONNX
from condmix.deploy.int8.any_size import AnySize, open_any_size, with_sizes
from condmix.deploy.int8.calibration import calibrated, calibration_images, ranges_text
from condmix.deploy.int8.detector import Int8Detector
from condmix.deploy.int8.finish import ProvenFile, proven
from condmix.deploy.int8.float_network import run_float
from condmix.deploy.int8.label_judge import judged_labels
from condmix.deploy.int8.makers import MadeReady, make_ready
from condmix.deploy.int8.plan import Int8Plan
from condmix.deploy.int8.record import Calibration, Int8FileOutcome, Int8Outcome
from condmix.deploy.int8.reference import int8_reference, reference_notes
from condmix.deploy.json_text import to_json
from condmix.deploy.metadata import condmix_version
from condmix.deploy.reference_file import write_reference
from condmix.deploy.source import Source, open_source
from condmix.exporters.build import prepare, with_stage
from condmix.exporters.graph.facts import static_shape
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.improve.improve import equalised
from condmix.exporters.verify.evidence import gather
from condmix.exporters.verify.rounded import RoundedLimits
from condmix.exporters.verify.verify import verify_onnx
from condmix.models.network import LoadedNetwork
from condmix.runtime.artifact import Artifact, Format, Precision, describe_file
from condmix.runtime.audit.audit import audit_file
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.output_kind import class_output, kinds_text
from condmix.runtime.tolerance import Tolerance

EQUALISED_STAGE = "equalised"
AUDIT_RUNS = 5


def run(plan: Int8Plan, report_progress: Callable[[str], None]) -> Int8Outcome:
    """The export is done: each file, its ranges and the record lie under their final names, or the rejected ones.

    Raises the errors of `exit_codes.CODE_OF_FAILURE`; then no file has changed.
    """
    clock = StageClock(report_progress)
    require_room(plan.all_paths, overwrite=plan.overwrite)

    source = open_source(plan.loading, clock)
    network = source.network
    detector = None if network.detection is None else Int8Detector(network=network, flags=plan.loading.detection)
    if detector is None:
        judged_images = judged_labels(plan.flags.evaluate, network, _numbers_an_image(source))
    else:
        judged_images = detector.judged_images(plan.flags.evaluate)
    if detector is None and judged_images is None:
        _require_classes(plan, network)
    labelled = _labelled_images(plan, network) if detector is None and judged_images is None else None
    prepared = prepare(source.captured, ExportOptions(stage="rewritten"), {}, clock)
    free = None
    if plan.onnx is not None and plan.onnx.dynamic_size:
        free = open_any_size(plan.loading, source, prepared, clock)
    even = equalised(prepared.model, plan.improvements)
    if any(step.applied for step in even):
        prepared = with_stage(prepared, EQUALISED_STAGE, {})
    if detector is not None:
        plan = detector.with_float_tail(plan, prepared)
    images = calibration_images(plan, network, prepared, report_progress)

    # The float graph first: what int8 is rounded from has to be PyTorch's.
    evidence = gather(prepared.built, source.oracle, network.input_size, batch=1, images=None, report_progress=clock)
    shared = verify_onnx(
        prepared.built, evidence, batch=1, tolerance=Tolerance.for_precision("float32"), report_progress=clock
    )
    calibration = None
    made: list[tuple[MadeReady, ProvenFile]] = []
    if shared.passed:
        clock("calibrate")
        calibration = calibrated(plan, prepared, images, report_progress) if plan.needs_ranges else None
        float_network = run_float(prepared, evidence.images.array_nchw, images, labelled, judged_images)
        for format_name in plan.formats:
            clock(f"quantise {format_name}")
            others = None if free is None else free.others
            ready = make_ready(format_name, plan, network, prepared, calibration, images, report_progress, others)
            calibration = ready.calibration
            file = proven(
                ready.maker,
                float_network,
                max_drop=plan.flags.max_drop,
                limits=RoundedLimits(),
                report_progress=report_progress,
            )
            if free is not None and file.passed:
                file = with_sizes(file, float_network, source.oracle, free.sizes, clock)
            if detector is not None and format_name == ONNX:
                file = detector.with_suppression(file, evidence.images.array_nchw)
            made.append((ready, file))

    clock("write")
    with pending_files(overwrite=plan.overwrite) as files:
        outcomes = tuple(
            _file_outcome(files, plan, network, ready, file, float_network.size_bytes) for ready, file in made
        )
        accepted = any(file.passed for file in outcomes)
        record_path = plan.output.record if accepted else plan.output.rejected_record
        reference_path = plan.output.reference if accepted else plan.output.rejected_reference
        reference = int8_reference(plan, source.oracle, float_network, outcomes) if made else None
        outcome = Int8Outcome(
            plan=plan,
            network=network,
            shared=shared,
            calibration=calibration,
            equalised=even,
            files=outcomes,
            record_path=record_path,
            notes=(
                *network.notes,
                *(() if images is None else images.notes),
                *reference_notes(plan),
                *_size_notes(free),
            ),
            warnings=_warnings(images, calibration),
            reference=write_reference(files, reference_path, reference, yardstick=network.yardstick),
            seconds=clock.stop(),
            peak_memory_bytes=peak_memory_bytes(),
        )
        if calibration is not None and calibration.ranges_path is not None:
            files.write(calibration.ranges_path, ranges_text(calibration.ranges, prepared).encode())
        files.write(record_path, to_json(outcome.to_dict()).encode())
        files.commit()
    return outcome


def _numbers_an_image(source: Source) -> dict[str, int]:
    return {str(value.name): math.prod(static_shape(value)[1:]) for value in source.captured.model.graph.outputs}


def _require_classes(plan: Int8Plan, network: LoadedNetwork) -> None:
    """Raises PlanError for labelled images where no output scores classes."""
    kinds = network.output_kinds
    if plan.flags.evaluate is None or class_output(kinds, list(kinds)) is not None:
        return
    summary = "--evaluate compares the class that an image is named with its label, and no output scores classes:"
    problem = f"the outputs are {kinds_text(kinds, list(kinds))}: leave it out; each is judged by its own agreement"
    raise PlanError(summary, [problem])


def _labelled_images(plan: Int8Plan, network: LoadedNetwork) -> CalibrationImages | None:
    given = plan.flags.evaluate
    if given is None:
        return None
    labelled = open_calibration_images(given, network, samples=None)
    if labelled.labels is None:
        problem = "has no labels: expected one folder a class, or a .npz with `labels`"
        raise ImagesError(given, [problem], purpose="evaluation")
    return labelled


def _size_notes(free: AnySize | None) -> tuple[str, ...]:
    return () if free is None else size_notes(free.sizes)


def _warnings(images: CalibrationImages | None, calibration: Calibration | None) -> tuple[str, ...]:
    found = [] if images is None else list(images.warnings)
    if calibration is not None:
        found += [item.warning for item in calibration.unexercised]
    return tuple(found)


def _file_outcome(
    files: PendingFiles,
    plan: Int8Plan,
    network: LoadedNetwork,
    ready: MadeReady,
    file: ProvenFile,
    float_size_bytes: int,
) -> Int8FileOutcome:
    """The file lies beside its final name, which its record already carries, and was opened and audited there."""
    candidate = file.candidate
    names = plan.output
    path = names.models[candidate.format] if file.passed else names.rejected_model(candidate.format)
    written = files.write(path, candidate.content)
    return Int8FileOutcome(
        artifact=dataclasses.replace(_described(written, candidate.format, network), path=path),
        options=ready.options,
        layout=candidate.layout,
        layers=candidate.layers,
        improvements=ready.improvements,
        float_layers=file.put_back,
        verification=file.verification,
        guard=file.guard,
        suppression=file.suppression,
        drift=file.drift,
        audit=audit_file(written, threads=1, runs=AUDIT_RUNS, shapes={}),
        float_size_bytes=float_size_bytes,
    )


def _described(written: Path, format_name: str, network: LoadedNetwork) -> Artifact:
    backend = OnnxRuntimeBackend() if format_name == ONNX else LiteRtBackend()
    return describe_file(
        written,
        format=Format(format_name),
        precision=Precision.INT8,
        signature=backend.open(written, threads=1).signature,
        parent_sha256=network.source_sha256,
        produced_by=f"condmix {condmix_version()} export --int8",
    )
