"""The profile of an ONNX file: ONNX Runtime times every node of the graph that it made of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from condmix.runtime.audit.onnx_file import read_onnx
from condmix.runtime.audit.onnx_names import Origins
from condmix.runtime.audit.onnx_run import run_onnx
from condmix.runtime.onnx_session import ENGINE, OnnxRuntimeBackend
from condmix.runtime.profile import notes
from condmix.runtime.profile.module_propagation import with_modules
from condmix.runtime.profile.onnx_steps import onnx_steps, tells_modules
from condmix.runtime.profile.records import Method, Profile, Roof
from condmix.runtime.profile.step import StepGraph
from condmix.runtime.profile.totals import module_times, operator_times, peak_of, special_times, time_of
from condmix.runtime.profile.unprofiled import unprofiled_us


def profile_onnx(
    path: Path,
    *,
    threads: int,
    runs: int,
    shapes: Mapping[str, tuple[int, ...]],
    constructs: Mapping[str, str],
    roof: Roof,
) -> Profile:
    """Where the time goes in the optimised graph, each node traced back to the file and so to its module.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError, SessionFailedError, ComparisonImpossibleError.
    """
    run = run_onnx(path, threads=threads, runs=runs, shapes=shapes)
    origins = Origins(read_onnx(path))
    by_module = tells_modules(run, origins)
    graph, uncounted = onnx_steps(run, origins, by_module=by_module)
    named = StepGraph(steps=with_modules(graph.steps), shapes=graph.shapes)
    total_us = time_of(named.steps)
    plain_us = unprofiled_us(OnnxRuntimeBackend().open(path, threads=threads), run.feeds, threads=threads, runs=runs)
    return Profile(
        engine=ENGINE,
        method=Method.ENGINE,
        runs=runs,
        threads=threads,
        total_us=total_us,
        operators=operator_times(named.steps),
        modules=module_times(named, roof, constructs),
        special=special_times(named),
        delegate_coverage=None,
        peak=peak_of(named.steps, roof),
        roof=roof,
        notes=(
            notes.SUM_OF_MEDIANS,
            notes.against_unprofiled(total_us, plain_us, threads),
            *notes.attribution(graph.steps, named.steps, by_module=by_module),
            *notes.uncounted(uncounted),
            *notes.ROOFLINE,
        ),
    )
