"""How many multiply-adds a second an engine reaches on this machine, measured with a matrix product in that engine.

No data sheet is asked. The fastest call counts, since a roof is what can be reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.errors import InferenceError
from condmix.runtime.litert_session import ENGINE as LITERT
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.profile import tiny_onnx, tiny_tflite
from condmix.runtime.profile.records import Rate
from condmix.runtime.session import Session

SIZE = 512
"""Rows, depth and columns: 1 MB a matrix of floats, enough work to hide what starting a call costs."""
LEAST_CALLS, LEAST_SECONDS = 8, 0.25


def float_peak(engine: str, threads: int) -> Rate:
    """Multiply-adds a second in float32. Raises EngineMissingError, ModelUnreadableError, SessionFailedError."""
    weight = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32)
    if engine == LITERT:
        return _rate(
            LiteRtBackend().open(tiny_tflite.matrix_product(weight, SIZE), threads=threads),
            "FULLY_CONNECTED",
            engine,
            threads,
        )
    model = tiny_onnx.matrix_product(weight, SIZE, input_dtype="float32", output_dtype="float32")
    return _rate(OnnxRuntimeBackend().open(model, threads=threads), "MatMul", engine, threads)


def int8_peak(engine: str, threads: int) -> Rate | None:
    """Multiply-adds a second in int8; None when the engine does not run the product."""
    weight = np.random.default_rng(0).integers(-64, 64, (SIZE, SIZE), dtype=np.int8)
    try:
        if engine == LITERT:
            session: Session = LiteRtBackend().open(tiny_tflite.matrix_product(weight, SIZE), threads=threads)
            return _rate(session, "int8 FULLY_CONNECTED", engine, threads)
        model = tiny_onnx.matrix_product(weight, SIZE, input_dtype="uint8", output_dtype="int32")
        return _rate(OnnxRuntimeBackend().open(model, threads=threads), "MatMulInteger (uint8 x int8)", engine, threads)
    except InferenceError:
        return None


def _rate(session: Session, operator: str, engine: str, threads: int) -> Rate:
    feeds = example_inputs(session.signature, {})
    seconds, calls = fastest(lambda: session.run(feeds))
    how = f"{operator} of two {SIZE}x{SIZE} matrices in {engine}, {threads} thread{'' if threads == 1 else 's'}"
    return Rate(per_second=SIZE**3 / seconds, how=f"{how}, the fastest of {calls} calls")


def fastest(run: Callable[[], object]) -> tuple[float, int]:
    """(seconds of the fastest call, number of calls); at least so many, and for at least so long."""
    best, calls = float("inf"), 0
    end = time.perf_counter() + LEAST_SECONDS
    while calls < LEAST_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best, calls
