"""Proof of a float file whose expert banks are int8: judged as int8 files are, by agreement and by what it stores.

How far rounded banks move the outputs depends on the network, so no tolerance tells right from wrong. What does: the
file's twin with float32 banks computes what the network computes, the int8 numbers are those of the twin rounded, the
file computes what its numbers say however it is run, and its outputs agree with the network's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx

from condmix.exporters.tflite.build import TfliteBuild
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.rounded import RoundedLimits, RoundedVerification, Run, Way, verify_rounded
from condmix.exporters.verify.stored_banks import bank_problems, onnx_banks, tflite_banks
from condmix.exporters.verify.tflite import in_layout
from condmix.exporters.verify.verify import THREAD_COUNTS, run_in_batches
from condmix.runtime.joint_inputs import first_part
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from condmix.runtime.session import Session

STEPS = 255
SMALLEST_SPAN = 1e-9
LIMITS = RoundedLimits()


def judge_onnx(
    exact: onnx.ModelProto, rounded: onnx.ModelProto, evidence: Evidence, limits: RoundedLimits = LIMITS
) -> RoundedVerification:
    """The verdict on an ONNX file for one image a call. exact: the same with float32 banks, which has been proven."""
    content = rounded.SerializeToString()

    def opened(threads: int, optimization: Optimization) -> Run:
        session = OnnxRuntimeBackend().open(content, threads=threads, optimization=optimization)
        return _run(session, 1, lambda images: images)

    ways = [Way(name=_on(threads), run=opened(threads, Optimization.ALL)) for threads in THREAD_COUNTS]
    problems = bank_problems(onnx_banks(exact)[0], onnx_banks(rounded)[1])
    return _judged(opened(1, Optimization.NONE), ways, evidence, problems, limits)


def judge_tflite(
    build: TfliteBuild, evidence: Evidence, batch: int, limits: RoundedLimits = LIMITS
) -> RoundedVerification:
    """The same of a TFLite file, which has its exact twin beside it."""
    assert build.exact_content is not None

    def opened(threads: int, *, delegate: bool) -> Run:
        session = LiteRtBackend().open(build.content, threads=threads, delegate=delegate)
        return _run(session, batch, lambda images: in_layout(images, build.layout))

    ways = [Way(name=f"delegate {_on(threads)}", run=opened(threads, delegate=True)) for threads in THREAD_COUNTS]
    ways.append(Way(name=f"builtin kernels {_on(2)}", run=opened(2, delegate=False)))
    problems = bank_problems(tflite_banks(build.exact_content)[0], tflite_banks(build.content)[1])
    return _judged(opened(1, delegate=False), ways, evidence, problems, limits)


def _on(threads: int) -> str:
    return "on 1 thread" if threads == 1 else f"on {threads} threads"


def _run(session: Session, batch: int, prepared: Callable[[np.ndarray], np.ndarray]) -> Run:
    def run(images_nchw: np.ndarray) -> Mapping[str, np.ndarray]:
        return run_in_batches(session, prepared(images_nchw), batch)

    return run


def _judged(
    plain: Run, ways: list[Way], evidence: Evidence, problems: tuple[str, ...], limits: RoundedLimits
) -> RoundedVerification:
    images, reference = evidence.images.array_nchw, evidence.reference.float64
    made = verify_rounded(
        plain,
        ways,
        images,
        reference,
        input_step=max(float(np.ptp(first_part(images))), SMALLEST_SPAN) / STEPS,
        output_steps={name: _step(rows) for name, rows in reference.items()},
        limits=limits,
        kinds=evidence.kinds,
    )
    return replace(made, stored=problems)


def _step(rows: np.ndarray) -> float:
    """Of an 8-bit grid over what the output was seen to be."""
    return max(float(max(rows.max(), 0) - min(rows.min(), 0)), SMALLEST_SPAN) / STEPS
