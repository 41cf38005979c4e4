"""One int8 file in the making, whatever its format: built with some layers in float, and run as real numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from condmix.exporters.quantize.onnx.records import Int8Layer
from condmix.exporters.quantize.parameters import Grid, stored
from condmix.exporters.quantize.ranges import Range
from condmix.exporters.quantize.tflite.layer_records import TfliteInt8Layer
from condmix.exporters.verify.rounded import Run
from condmix.exporters.verify.tflite import in_layout
from condmix.runtime.joint_inputs import feeds
from condmix.runtime.session import Session

LayerRecords = Sequence[Int8Layer] | Sequence[TfliteInt8Layer]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """An int8 file's content, what its layers became, and how it may be run.

    run_plain: in its plainest form (no optimisation, no delegate). run_fast: as its user will, on so many threads.
    routing: rows of every CondConv's routing on images, as the file computes it; None where the file does not show it.
    """

    format: str
    content: bytes
    layers: LayerRecords
    layout: str
    run_plain: Callable[[], Run]
    run_fast: Callable[[int], Run]
    other_ways: Mapping[str, Callable[[], Run]] = field(default_factory=dict)
    routing: Callable[[Iterable[np.ndarray]], Mapping[str, np.ndarray]] | None = None


class CandidateMaker(Protocol):
    """Makes candidates of one format from one calibrated network."""

    @property
    def format(self) -> str: ...

    @property
    def layer_paths(self) -> tuple[str, ...]:
        """Module paths that may go back into float, in the order of computation."""
        ...

    def observe(self, images: Iterable[np.ndarray], report_progress: Callable[[str], None]) -> Mapping[str, Range]:
        """Ranges of the tensors that only this format has; none where there are none."""
        ...

    def make(self, float_layers: frozenset[str], report_progress: Callable[[str], None]) -> Candidate:
        """The file with these layers in float, beside those that the plan keeps."""
        ...


def as_run(
    session: Session, layout: str, scales: Mapping[str, tuple[float, int]], *, sizes: Sequence[int] = (1,)
) -> Run:
    """Images through a session, in real numbers on both sides. scales: of ends that are integers.

    Each call takes images that follow each other: as many as the file is for, or for any number `sizes` in turn. A call
    that is not full is filled up with its first image.
    """
    inputs = {spec.name: spec for spec in session.signature.inputs}
    fixed = session.signature.inputs[0].shape[0]
    wanted = (fixed,) if isinstance(fixed, int) else tuple(sizes)

    def run(images_nchw: np.ndarray) -> Mapping[str, np.ndarray]:
        rows: dict[str, list[np.ndarray]] = {}
        first = 0
        for size in itertools.cycle(wanted):
            group = images_nchw[first : first + size]
            if not len(group):
                break
            missing = size - len(group) if isinstance(fixed, int) else 0
            given = feeds(in_layout(np.concatenate([group, *([group[:1]] * missing)]), layout), list(inputs))
            fed = {
                name: _as_integers(array, *scales[name], np.dtype(inputs[name].dtype)) if name in scales else array
                for name, array in given.items()
            }
            for name, value in session.run(fed).items():
                real = value[: len(group)].astype(np.float64)
                if name in scales:
                    scale, zero_point = scales[name]
                    real = scale * (real - zero_point)
                rows.setdefault(name, []).append(real)
            first += size
        return {name: np.concatenate(values) for name, values in rows.items()}

    return run


def _as_integers(array: np.ndarray, scale: float, zero_point: int, dtype: np.dtype[np.generic]) -> np.ndarray:
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    return stored(array, scale, zero_point, Grid(low=limits.min, high=limits.max)).astype(dtype)
