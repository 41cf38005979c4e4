"""The whole proof: images that drive the routing apart, every stage against PyTorch in float64, every batch size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx

from condmix.exporters.build import Build, Stage
from condmix.exporters.verify.bisect import first_module_beyond
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.oracle import Oracle, join_rows
from condmix.exporters.verify.records import Blame, StageParity, Verification
from condmix.exporters.verify.rounded import RoundedVerification
from condmix.runtime.batch_report import BatchReport
from condmix.runtime.batches import BATCH_SIZES, check_batches_on_threads
from condmix.runtime.joint_inputs import feeds
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity import compare
from condmix.runtime.session import Session
from condmix.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from torch import nn

THREAD_COUNTS = (1, 2)
JudgeLast: TypeAlias = Callable[[onnx.ModelProto, onnx.ModelProto, Evidence], RoundedVerification]
"""From the file with float32 banks and the one with int8 banks to what is thought of the second."""


def verify(
    build: Build,
    network: Oracle | nn.Module,
    input_size: tuple[int, int, int],
    *,
    batch: int | None,
    tolerance: Tolerance,
    images: np.ndarray | None,
    report_progress: Callable[[str], None],
) -> Verification:
    """Compare every stage of the build with the network; the last stage on one and two threads and at all its batches.

    Raises VerificationError when there is nothing sound to compare with. A difference is a verdict, not an exception.
    """
    evidence = gather(build, network, input_size, batch=batch, images=images, report_progress=report_progress)
    return verify_onnx(build, evidence, batch=batch, tolerance=tolerance, report_progress=report_progress)


def verify_onnx(
    build: Build,
    evidence: Evidence,
    *,
    batch: int | None,
    tolerance: Tolerance,
    report_progress: Callable[[str], None],
    last_tolerance: Tolerance | None = None,
    judge_last: JudgeLast | None = None,
) -> Verification:
    """The same on evidence that is there already. last_tolerance: of a last stage whose weights are rounded.

    judge_last: judges the last stage, whose banks are rounded, beside the one before it, which holds them in float32
    and is compared like all others.
    """
    last = last_tolerance or tolerance
    whole = build
    if judge_last is not None:
        build, last = replace(build, stages=build.stages[:-1]), tolerance
    stages = compare_stages(build, evidence, tolerance, report_progress, batch_of_last=batch, last_tolerance=last)
    passed = all(item.report.passed for item in stages)
    rounded = None
    if judge_last is not None and passed:
        report_progress("judge int8 experts")
        rounded = judge_last(build.final.proto, whole.final.proto, evidence)
    batches = None
    if batch is None and passed:
        report_progress("compare batches")
        batches = _batches(build.final.proto, evidence, tolerance)
    blame = None
    if not passed:
        report_progress("find the module")
        failed_last = stages[-1].stage == build.final.name
        blame = blame_stage(build, stages, evidence, last if failed_last else tolerance)
    return Verification(
        images=evidence.facts,
        stages=tuple(stages),
        batches=batches,
        blame=blame,
        yardstick=evidence.oracle.name,
        rounded=rounded,
    )


def compare_stages(
    build: Build,
    evidence: Evidence,
    tolerance: Tolerance,
    report_progress: Callable[[str], None],
    *,
    batch_of_last: int | None,
    last_tolerance: Tolerance | None = None,
) -> list[StageParity]:
    """Every stage of the build in ONNX Runtime, up to the first that fails; the last on several numbers of threads."""
    stages: list[StageParity] = []
    for stage in build.stages:
        report_progress(f"compare {stage.name}")
        is_final = stage is build.final
        for threads in THREAD_COUNTS if is_final else (1,):
            batch = batch_of_last if is_final else 1
            limit = (last_tolerance or tolerance) if is_final else tolerance
            stages.append(_stage_parity(stage, evidence, limit, threads, batch=batch, twice=is_final))
        if not stages[-1].report.passed:
            break
    return stages


def _stage_parity(
    stage: Stage,
    evidence: Evidence,
    tolerance: Tolerance,
    threads: int,
    *,
    batch: int | None,
    twice: bool,
) -> StageParity:
    """All images through one session, `twice` there and back: a runtime once kept the first image's kernel."""
    images, reference = evidence.images, evidence.reference
    session = OnnxRuntimeBackend().open(stage.proto.SerializeToString(), threads=threads)
    order = list(range(len(images.sources)))
    if twice:
        order = [*order, *reversed(order)]
    actual = run_in_batches(session, images.array_nchw[order], batch or 1)
    expected = {name: as_rows(rows, actual.get(name))[order] for name, rows in reference.float64.items()}
    own = {name: as_rows(rows, actual.get(name))[order] for name, rows in reference.float32.items()}
    report = compare(
        expected,
        actual,
        tolerance=tolerance,
        own_float32=own,
        context={"stage": stage.name, "threads": str(threads), "images": images.sha256},
        kinds=evidence.kinds,
    )
    return StageParity(stage=stage.name, threads=threads, report=report)


def as_rows(rows: np.ndarray, actual: np.ndarray | None) -> np.ndarray:
    """The reference in the shape of the result, where they differ only by axes of length one behind the first."""
    if actual is None or rows.shape == actual.shape or rows[0].size * len(actual) != actual.size:
        return rows
    return rows.reshape(len(rows), *actual.shape[1:])


def run_in_batches(session: Session, images_nchw: np.ndarray, batch: int) -> dict[str, np.ndarray]:
    """All images, `batch` at a time; the last call is filled up with images from the start."""
    names = [spec.name for spec in session.signature.inputs]
    count = len(images_nchw)
    padded = np.concatenate([images_nchw] * (1 + batch // count + 1))[: -(-count // batch) * batch]
    rows: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(padded), batch):
        for output, value in session.run(feeds(padded[start : start + batch], names)).items():
            rows.setdefault(output, []).append(value)
    if batch == 1:
        return {output: join_rows(values) for output, values in rows.items()}
    return {output: np.concatenate(values)[:count] for output, values in rows.items()}


def _batches(proto: onnx.ModelProto, evidence: Evidence, tolerance: Tolerance) -> BatchReport:
    content = proto.SerializeToString()
    return check_batches_on_threads(
        lambda threads: OnnxRuntimeBackend().open(content, threads=threads),
        evidence.images.array_nchw,
        evidence.reference.float64,
        tolerance=tolerance,
        own_float32=evidence.reference.float32,
        sizes=[size for size in BATCH_SIZES if size <= len(evidence.images.sources)],
        thread_counts=THREAD_COUNTS,
    )


def blame_stage(build: Build, stages: list[StageParity], evidence: Evidence, tolerance: Tolerance) -> Blame | None:
    """The first module beyond tolerance at the stage that failed; None for a stage with a fixed batch of several."""
    failed = next(item for item in stages if not item.report.passed)
    stage = next(item for item in build.stages if item.name == failed.stage)
    if stage.proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value not in (0, 1):
        return None
    image = worst_image(failed, evidence)
    return first_module_beyond(stage.name, stage.proto, build.taps, evidence.oracle, image, tolerance)


def worst_image(failed: StageParity, evidence: Evidence) -> np.ndarray:
    """The image (channels, height, width) that a failed comparison was furthest off on."""
    worst = failed.report.worst_output
    row = worst.worst.index[0] if worst is not None and worst.worst is not None and worst.worst.index else 0
    count = len(evidence.images.sources)
    image: np.ndarray = evidence.images.array_nchw[row if row < count else 2 * count - 1 - row]
    return image
