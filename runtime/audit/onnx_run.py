"""The graph that ONNX Runtime makes of a file and runs, with the shape of every value and the time of every node.

ONNX cannot infer shapes behind the runtime's own operators, so they are taken from a profile of real runs. For the
profile the optimised graph is opened a second time, every node named after its place and nothing optimised again;
that both sessions run the same operators is checked.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.audit.onnx_file import OnnxGraph, number_nodes
from condmix.runtime.errors import ComparisonImpossibleError
from condmix.runtime.onnx_session import OnnxRuntimeBackend, OnnxRuntimeSession, Optimization
from condmix.runtime.signature import Tensor

_EVENT_END = "_kernel_time"


@dataclass(frozen=True, kw_only=True)
class OnnxRun:
    """What the runtime ran.

    types: value -> (dtype, shape) of everything computed or fed, inside loops that of the last turn.
    calls: executions of each node in one run, 0 where a branch was not taken.
    time_us: of each node in one run, the median over all runs: one that another program broke in on counts no more.
    """

    graph: OnnxGraph
    feeds: Mapping[str, Tensor]
    types: Mapping[str, tuple[str, tuple[int, ...]]]
    calls: tuple[int, ...]
    time_us: tuple[float, ...]


def run_onnx(path: Path, *, threads: int, runs: int, shapes: Mapping[str, tuple[int, ...]]) -> OnnxRun:
    """The file opened as it would be in use, all optimisations on, and run `runs` times after one to warm up.

    Raises ComparisonImpossibleError when the profiled graph is not the one in use, InvalidSettingError when a shape
    has to be given, EngineMissingError, ModelUnreadableError, SessionFailedError.
    """
    backend = OnnxRuntimeBackend()
    with tempfile.TemporaryDirectory(prefix="condmix-audit-") as folder:
        place = Path(folder)
        session = backend.open(
            path, threads=threads, profile_prefix=place / "in_use", optimized_path=place / "optimized.onnx"
        )
        feeds = example_inputs(session.signature, shapes)
        in_use = _profile(session, feeds, runs=1)
        graph = number_nodes(place / "optimized.onnx", place / "numbered.onnx", weights_folder=path.parent)
        numbered = backend.open(
            place / "numbered.onnx", threads=threads, optimization=Optimization.NONE, profile_prefix=place / "numbered"
        )
        # Without optimisation the runtime still copies a DequantizeLinear that several float operators read; in use
        # it has merged them again. Copies have no number.
        events = [event for event in _profile(numbered, feeds, runs=runs + 1) if _number(event).isdigit()]
    expected = Counter(event["args"]["op_name"] for event in in_use)
    found = Counter(event["args"]["op_name"] for event in events)
    different = [name for name in expected.keys() | found.keys() if expected[name] * (runs + 1) != found[name]]
    if different:
        problem = f"the graph that was profiled is not the one in use: {', '.join(sorted(different))} differ in number"
        raise ComparisonImpossibleError([problem])
    return _joined(graph, feeds, events, runs=runs)


def _profile(session: OnnxRuntimeSession, feeds: Mapping[str, Tensor], *, runs: int) -> list[dict[str, Any]]:
    for _ in range(runs):
        session.run(feeds)
    profile = session.finish_profile()
    events = json.loads(profile.read_text(encoding="utf-8", errors="replace"))
    return [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_EVENT_END)]


def _number(event: Mapping[str, Any]) -> str:
    """The name of the node that ran."""
    return str(event["name"]).removesuffix(_EVENT_END)


def _joined(graph: OnnxGraph, feeds: Mapping[str, Tensor], events: list[dict[str, Any]], *, runs: int) -> OnnxRun:
    by_node: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        by_node.setdefault(int(_number(event)), []).append(event)
    types = {name: (_onnx_dtype(array), array.shape) for name, array in feeds.items()}
    types |= {name: (constant.dtype, constant.shape) for name, constant in graph.constants.items()}
    calls, time_us = [], []
    for place, node in enumerate(graph.nodes):
        ran = by_node.get(place, [])
        count = len(ran) // (runs + 1)
        calls.append(count)
        time_us.append(_median_us([event["dur"] for event in ran[count:]], runs))
        written = [name for name in node.outputs if name]
        told = ran[-1]["args"].get("output_type_shape", []) if ran else []
        if len(told) == len(written):
            types |= {name: _type_of(one) for name, one in zip(written, told, strict=True)}
    return OnnxRun(graph=graph, feeds=feeds, types=types, calls=tuple(calls), time_us=tuple(time_us))


def _median_us(durations_us: Sequence[int], runs: int) -> float:
    """Of the sums of each run, durations being in order of time."""
    each = len(durations_us) // runs
    return statistics.median(sum(durations_us[run * each : (run + 1) * each]) for run in range(runs))


def _type_of(told: Mapping[str, list[int]]) -> tuple[str, tuple[int, ...]]:
    dtype, shape = next(iter(told.items()))
    return dtype, tuple(shape)


def _onnx_dtype(array: Tensor) -> str:
    return {"float32": "float", "float64": "double"}.get(array.dtype.name, array.dtype.name)
