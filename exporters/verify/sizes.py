"""A file for any height and width at sizes of many shapes, against the network itself at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from condmix.exporters.sizes.choice import FreeSize, shown
from condmix.exporters.verify.images import candidate_images
from condmix.exporters.verify.oracle import Oracle
from condmix.exporters.verify.size_report import SizeCase, SizeReport
from condmix.exporters.verify.verify import THREAD_COUNTS, as_rows, run_in_batches
from condmix.runtime.errors import SessionFailedError
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity import compare
from condmix.runtime.tolerance import Tolerance

IMAGES = (0, 4, -2)
"""Of the pool: noise, a photograph, the same one brighter."""
ANY_BATCH = (1, 3)


def check_sizes(
    proto: onnx.ModelProto,
    oracle: Oracle,
    channels: int,
    sizes: FreeSize,
    *,
    batch: int | None,
    tolerance: Tolerance,
    report_progress: Callable[[str], None],
) -> SizeReport:
    """The file at every size but the given one (at which all stages are compared), on one and two threads.

    batch: images a call; None for any number, of which one and three are run.
    """
    content = proto.SerializeToString()
    sessions = {threads: OnnxRuntimeBackend().open(content, threads=threads) for threads in THREAD_COUNTS}
    names = [output.name for output in proto.graph.output]
    cases: list[SizeCase] = []
    for sides in sizes.proven[1:]:
        report_progress(f"compare {shown(sides)}")
        images_nchw = candidate_images((channels, *sides)).take(IMAGES).array_nchw
        reference = oracle.reference(images_nchw, names)
        for threads, session in sessions.items():
            for images in ANY_BATCH if batch is None else (batch,):
                try:
                    actual = run_in_batches(session, images_nchw, images)
                except SessionFailedError as error:
                    case = SizeCase(sides=sides, batch=images, threads=threads, parity=None, failure=str(error))
                    cases.append(case)
                    continue
                parity = compare(
                    _rows(reference.float64, actual),
                    actual,
                    tolerance=tolerance,
                    own_float32=_rows(reference.float32, actual),
                    context={"size": shown(sides), "batch": str(images), "threads": str(threads)},
                )
                cases.append(SizeCase(sides=sides, batch=images, threads=threads, parity=parity))
    return SizeReport(sizes=sizes, cases=tuple(cases))


def _rows(wanted: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: as_rows(rows, actual.get(name)) for name, rows in wanted.items()}
