"""Int8 ONNX files in the making."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from condmix.deploy.format_choices import ONNX
from condmix.deploy.int8.candidate import Candidate, as_run
from condmix.exporters.build import Prepared
from condmix.exporters.quantize.calibrate import routing_names
from condmix.exporters.quantize.improve.improve import restored
from condmix.exporters.quantize.onnx.any_size import OtherSizes
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Build, Int8Layer
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.verify.rounded import Run
from condmix.exporters.verify.tapping import value_names, with_outputs
from condmix.runtime.joint_inputs import as_batch
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization

LAYOUT = "nchw"
MIXED_SIZES = (2, 1, 5, 3)
"""Images a call, in turn, of a file for any number: an image's result must not depend on its neighbours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxMaker:
    """Makes ONNX candidates of one network."""

    prepared: Prepared
    ranges: Ranges | None
    options: OnnxInt8Options
    metadata: Mapping[str, str]
    others: OtherSizes | None = None
    """The network at other sizes, for a file that takes any height and width."""
    original: Prepared | None = None
    """The network before its weights were improved for rounding; None where they were not."""

    @property
    def format(self) -> str:
        return ONNX

    @property
    def weight_grid(self) -> Grid:
        """What weights are rounded to."""
        return INT8_SYMMETRIC

    @cached_property
    def layer_paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer.path for layer in self._layers if layer.int8))

    @cached_property
    def float_paths(self) -> frozenset[str]:
        """Module paths of layers whose weights are not rounded."""
        return frozenset(layer.path for layer in self._layers) - {*self.layer_paths}

    @cached_property
    def _layers(self) -> tuple[Int8Layer, ...]:
        return self._build(self.prepared, self.options, lambda _stage: None).layers

    def observe(self, images: Iterable[np.ndarray], report_progress: Callable[[str], None]) -> Mapping[str, Range]:
        """Nothing: every value of the ONNX form is a value of the graph, or a part of one."""
        del images, report_progress
        return {}

    def make(self, float_layers: frozenset[str], report_progress: Callable[[str], None]) -> Candidate:
        options = replace(self.options, float_layers=self.options.float_layers | float_layers)
        prepared = self.prepared
        if self.original is not None and float_layers:
            prepared = replace(prepared, model=restored(prepared.model, self.original.model, float_layers))
        build = self._build(prepared, options, report_progress)
        content = build.proto.SerializeToString(deterministic=True)
        return Candidate(
            format=ONNX,
            content=content,
            layers=build.layers,
            layout=LAYOUT,
            run_plain=lambda: _run(build, content, threads=1, optimization=Optimization.NONE),
            run_fast=lambda threads: _run(
                build, content, threads=threads, optimization=Optimization.ALL, sizes=MIXED_SIZES
            ),
            routing=lambda images: _routing(build, routing_names(self.prepared.model.graph), images),
        )

    def _build(self, prepared: Prepared, options: OnnxInt8Options, report_progress: Callable[[str], None]) -> Int8Build:
        assert self.ranges is not None  # the plan says that ONNX needs them
        return build_int8(prepared, self.ranges, options, self.metadata, report_progress, others=self.others)


def _scales(build: Int8Build) -> dict[str, tuple[float, int]]:
    return {name: (affine.scale, affine.zero_point) for name, affine in {**build.inputs, **build.outputs}.items()}


def _run(
    build: Int8Build, content: bytes, *, threads: int, optimization: Optimization, sizes: Sequence[int] = (1,)
) -> Run:
    session = OnnxRuntimeBackend().open(content, threads=threads, optimization=optimization)
    return as_run(session, LAYOUT, _scales(build), sizes=sizes)


def _routing(build: Int8Build, values: Iterable[str], images: Iterable[np.ndarray]) -> Mapping[str, np.ndarray]:
    """The routing as the file computes it, where its values are there under their names."""
    names = [value for value in values if value in value_names(build.proto)]
    if not names:
        return {}
    shown = with_outputs(build.proto, names).SerializeToString()
    session = OnnxRuntimeBackend().open(shown, threads=1)
    run = as_run(session, LAYOUT, _scales(build))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for image in images:
        found = run(as_batch(image))
        for name in names:
            rows[name].append(found[name].reshape(-1))
    return {name: np.stack(values) for name, values in rows.items()}
