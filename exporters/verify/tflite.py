"""Proof of a TFLite file: through the delegate and through the builtin kernels, on one thread and on two.

At least four different images go through one interpreter, forwards and backwards: a runtime once kept the first image's
mixed kernel for all that followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.tflite.emitter import to_nhwc
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.records import Blame, StageParity, Verification
from condmix.exporters.verify.rounded import RoundedVerification
from condmix.exporters.verify.verify import (
    THREAD_COUNTS,
    as_rows,
    blame_stage,
    compare_stages,
    run_in_batches,
    worst_image,
)
from condmix.runtime.delegate_coverage import DelegateCoverage, coverage
from condmix.runtime.joint_inputs import as_batch, feeds, mapped
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.parity import compare
from condmix.runtime.parity_report import ParityReport
from condmix.runtime.tolerance import Tolerance

STAGE = "tflite"
EXACT_STAGE = "tflite, float32 experts"
ENGINE = "litert"
Judge: TypeAlias = Callable[[TfliteBuild, Evidence, int], RoundedVerification]
"""From a file with rounded banks, and the images in a call, to what is thought of it."""


def verify_tflite(
    build: TfliteBuild,
    evidence: Evidence,
    *,
    batch: int,
    tolerance: Tolerance,
    shared_tolerance: Tolerance,
    report_progress: Callable[[str], None],
    judge: Judge | None = None,
) -> Verification:
    """Compare the stages before (float32, `shared_tolerance`) and the file (`tolerance`) with PyTorch in float64.

    judge: judges the file, whose banks are rounded, instead of the tolerance.
    """
    stages = compare_stages(build.shared, evidence, shared_tolerance, report_progress, batch_of_last=1)
    if not all(item.report.passed for item in stages):
        blame = blame_stage(build.shared, stages, evidence, shared_tolerance)
        return Verification(
            images=evidence.facts,
            stages=tuple(stages),
            batches=None,
            blame=blame,
            yardstick=evidence.oracle.name,
        )
    if build.exact_content is not None:
        # Rounded experts leave room in which a fault could hide: the same file with unrounded ones leaves none.
        report_progress("compare TFLite with float32 experts")
        session = LiteRtBackend().open(build.exact_content, threads=1)
        report = _compared(build, session, evidence, shared_tolerance, batch, {"stage": EXACT_STAGE, "threads": "1"})
        stages.append(StageParity(stage=EXACT_STAGE, threads=1, report=report, engine=ENGINE, delegate=True))
    taken: DelegateCoverage | None = None
    rounded: RoundedVerification | None = None
    if judge is not None and stages[-1].report.passed:
        report_progress("judge TFLite with int8 experts")
        rounded = judge(build, evidence, batch)
        taken = coverage(LiteRtBackend().open(build.content, threads=1))
    for delegate in (True, False) if judge is None else ():
        report_progress(f"compare TFLite, delegate {'on' if delegate else 'off'}")
        for threads in THREAD_COUNTS:
            session = LiteRtBackend().open(build.content, threads=threads, delegate=delegate)
            stages.append(_file_parity(build, session, evidence, tolerance, threads, batch, delegate=delegate))
            if delegate and taken is None:
                taken = coverage(session)
    blame = None
    failed = [item for item in stages if not item.report.passed and item.stage == STAGE]
    if failed and batch == 1:
        report_progress("find the module")
        blame = _blame(build, failed[0], evidence, tolerance)
    return Verification(
        images=evidence.facts,
        stages=tuple(stages),
        batches=None,
        blame=blame,
        yardstick=evidence.oracle.name,
        coverage=taken,
        rounded=rounded,
    )


def in_layout(images_nchw: np.ndarray, layout: str) -> np.ndarray:
    """Images as the file takes them."""
    return mapped(images_nchw, to_nhwc) if layout == "nhwc" else images_nchw


def _file_parity(
    build: TfliteBuild,
    session: LiteRtSession,
    evidence: Evidence,
    tolerance: Tolerance,
    threads: int,
    batch: int,
    *,
    delegate: bool,
) -> StageParity:
    context = {"stage": STAGE, "delegate": "on" if delegate else "off", "threads": str(threads)}
    report = _compared(build, session, evidence, tolerance, batch, context)
    return StageParity(stage=STAGE, threads=threads, report=report, engine=ENGINE, delegate=delegate)


def _compared(
    build: TfliteBuild,
    session: LiteRtSession,
    evidence: Evidence,
    tolerance: Tolerance,
    batch: int,
    context: dict[str, str],
) -> ParityReport:
    """All images through one interpreter, forwards and backwards."""
    count = len(evidence.images.sources)
    order = [*range(count), *reversed(range(count))]
    images = in_layout(evidence.images.array_nchw[order], build.layout)
    actual = run_in_batches(session, images, batch)
    names = {name: name for name in evidence.reference.float64}
    expected = {name: as_rows(evidence.reference.float64[name], actual.get(name))[order] for name in names}
    own = {name: as_rows(evidence.reference.float32[name], actual.get(name))[order] for name in names}
    return compare(
        expected,
        actual,
        tolerance=tolerance,
        own_float32=own,
        context={**context, "images": evidence.images.sha256},
        kinds=evidence.kinds,
    )


def _blame(build: TfliteBuild, failed: StageParity, evidence: Evidence, tolerance: Tolerance) -> Blame | None:
    """The first module whose output leaves the tolerance in the file; inner tensors are kept for this run only."""
    image = worst_image(failed, evidence)
    session = LiteRtBackend().open(build.content, threads=1, delegate=bool(failed.delegate), preserve_all_tensors=True)
    session.run(feeds(in_layout(as_batch(image), build.layout), [spec.name for spec in session.signature.inputs]))
    taps = [tap for tap in build.shared.taps if tap.value_name in build.tensor_of_value]
    inner = evidence.oracle.inner(taps, image)
    known = set(session.tensor_names())
    for tap in taps:
        name, reference = build.tensor_of_value[tap.value_name], inner.float64.get(tap.value_name)
        if reference is None or name not in known:
            continue
        actual = session.tensor(name)
        if actual.ndim == 4:
            actual = actual.transpose(0, 3, 1, 2)
        if actual.shape != reference.shape:
            continue
        report = compare(
            {name: reference},
            {name: actual},
            tolerance=tolerance,
            own_float32={name: inner.float32[tap.value_name]},
            context={"stage": STAGE, "module": tap.module_path},
        )
        if not report.passed:
            return Blame(stage=STAGE, module_path=tap.module_path, value_name=tap.value_name, report=report)
    return None
