"""Int8 TFLite files in the making."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from condmix.deploy.format_choices import TFLITE
from condmix.deploy.int8.candidate import Candidate, as_run
from condmix.exporters.build import Prepared
from condmix.exporters.quantize.calibrate import routing_names, select_all
from condmix.exporters.quantize.improve.improve import restored
from condmix.exporters.quantize.observe import observe
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.tflite.build import TfliteInt8Build, build_int8
from condmix.exporters.quantize.tflite.layer_records import TfliteInt8Layer
from condmix.exporters.quantize.tflite.observation import observation
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.quantize.tflite.plan import GATE
from condmix.exporters.verify.rounded import Run
from condmix.runtime.joint_inputs import as_batch
from condmix.runtime.litert_session import LiteRtBackend

FLOAT = "float"
"""The arithmetic of a layer whose weights are not rounded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TfliteMaker:
    """Makes TFLite candidates of one network. ranges: None for modes that store no activations."""

    prepared: Prepared
    ranges: Ranges | None
    options: TfliteInt8Options
    metadata: Mapping[str, str]
    method: str
    percentile: float
    original: Prepared | None = None
    """The network before its weights were improved for rounding; None where they were not."""

    @property
    def format(self) -> str:
        return TFLITE

    @property
    def weight_grid(self) -> Grid:
        """What weights are rounded to."""
        return INT8_SYMMETRIC

    @cached_property
    def layer_paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer.path for layer in self._layers if layer.arithmetic != FLOAT))

    @cached_property
    def float_paths(self) -> frozenset[str]:
        """Module paths of layers whose weights are not rounded, or not on a scale a channel."""
        kept = {layer.path: True for layer in self._layers}
        for layer in self._layers:
            kept[layer.path] &= layer.arithmetic == FLOAT or layer.why == GATE
        return frozenset(path for path, is_kept in kept.items() if is_kept)

    @cached_property
    def _layers(self) -> tuple[TfliteInt8Layer, ...]:
        return build_int8(self.prepared, self.ranges, self.options, self.metadata, lambda _stage: None).layers

    def observe(self, images: Iterable[np.ndarray], report_progress: Callable[[str], None]) -> Mapping[str, Range]:
        wanted = observation(self.prepared, self.options)
        if not wanted.names:
            return {}
        seen = observe(wanted.run(), images, lambda done: report_progress(f"observe TFLite tensors ({done})"))
        return select_all(seen, self.method, percentile=self.percentile)

    def make(self, float_layers: frozenset[str], report_progress: Callable[[str], None]) -> Candidate:
        options = replace(self.options, float_layers=self.options.float_layers | float_layers)
        prepared = self.prepared
        if self.original is not None and float_layers:
            prepared = replace(prepared, model=restored(prepared.model, self.original.model, float_layers))
        build = build_int8(prepared, self.ranges, options, self.metadata, report_progress)
        return Candidate(
            format=TFLITE,
            content=build.content,
            layers=build.layers,
            layout=options.layout,
            run_plain=lambda: _run(build, threads=1, delegate=False),
            run_fast=lambda threads: _run(build, threads=threads, delegate=True),
            other_ways={"builtin kernels, 2 threads": lambda: _run(build, threads=2, delegate=False)},
            routing=lambda images: _routing(build, routing_names(self.prepared.model.graph), images),
        )


def _run(build: TfliteInt8Build, *, threads: int, delegate: bool) -> Run:
    session = LiteRtBackend().open(build.content, threads=threads, delegate=delegate)
    return as_run(session, build.layout, session.end_scales())


def _routing(build: TfliteInt8Build, values: Iterable[str], images: Iterable[np.ndarray]) -> Mapping[str, np.ndarray]:
    """The routing as the file computes it; integers are brought back to real numbers."""
    names = {value: build.tensor_of_value[value] for value in values if value in build.tensor_of_value}
    session = LiteRtBackend().open(build.content, threads=1, preserve_all_tensors=True)
    known = set(session.tensor_names())
    if not names or not set(names.values()) <= known:
        return {}
    run = as_run(session, build.layout, session.end_scales())
    rows: dict[str, list[np.ndarray]] = {value: [] for value in names}
    for image in images:
        # A call of several images is filled up with this one, and its first row is read.
        run(as_batch(image))
        for value, tensor in names.items():
            rows[value].append(session.real(tensor)[0].reshape(-1))
    return {value: np.stack(found) for value, found in rows.items()}
