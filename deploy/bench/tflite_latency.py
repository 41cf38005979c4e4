"""Comparing the TFLite files of a network with PyTorch, then timing them in one interleaved run."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from condmix.deploy.bench.errors import WrongAnswerError
from condmix.deploy.bench.tflite_files import BenchFile, BuiltFiles
from condmix.deploy.bench.tflite_subjects import CONVERTER, TfliteForm
from condmix.exporters.verify.images import candidate_images
from condmix.exporters.verify.rounding import float32_draws
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor

CHECKED_IMAGES = 4
OPENINGS = 3
"""How often each file is opened. Where the engine's memory comes to lie makes a difference of some percent between two
sessions of one file, for as long as they live: runs take turns among several."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TfliteRow:
    """One file in the table; ratios are to litert-torch's file, times those of the computing thread."""

    name: str
    median_ms: float
    ratio: float | None
    low: float | None
    high: float | None
    size_bytes: int
    size_ratio: float
    difference: float
    capture_seconds: float | None
    write_seconds: float
    time_goal: float | None
    size_goal: float | None
    goal_against: str = CONVERTER
    goal_ratio: float | None = None
    """To the file that the goal of time is about; None where that file is not there."""


@dataclass(frozen=True, kw_only=True)
class TfliteResult:
    """One network's measurement; its rows in the order in which the files were given.

    missing: files that others could not make, or that the engine does not open, and why.
    """

    network: str
    report: LatencyReport
    rows: tuple[TfliteRow, ...]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def noise_floor(self) -> float | None:
        """How far litert-torch's file, timed against itself, reaches from 1; None after too few rounds."""
        return self.report.noise_floor(Clock.CPU)


def measure_files(network: str, built: BuiltFiles, size: int, settings: LatencySettings) -> TfliteResult:
    """Every file computes what PyTorch computes, and was timed on one thread in one interleaved run.

    built: litert-torch's file is the first, the baseline. Raises WrongAnswerError, naming every wrong file.
    """
    files = built.files
    # Ordinary images, as the networks were settled on: noise drives an untrained network where it amplifies rounding.
    candidates_nchw = candidate_images((3, size, size)).array_nchw
    images = candidates_nchw[:: max(1, len(candidates_nchw) // CHECKED_IMAGES)][:CHECKED_IMAGES]
    sessions = {
        name: [LiteRtBackend().open(file.content, threads=1) for _ in range(OPENINGS)] for name, file in files.items()
    }
    differences = {name: difference(file.module, sessions[name][0], images) for name, file in files.items()}
    errors = {
        id(module): own_error(module, images) for module in {id(f.module): f.module for f in files.values()}.values()
    }
    bounds = {name: bound_of(file.form, errors[id(file.module)]) for name, file in files.items()}
    check_differences(network, differences, bounds)
    # Each file's image is laid out before the clock runs: only the file is timed.
    candidates = {name: in_turn([run_of(one, images[:1]) for one in opened]) for name, opened in sessions.items()}
    report = measure(candidates, settings=settings)
    rows = tuple(_row(report, name, file, files[CONVERTER], differences[name]) for name, file in files.items())
    return TfliteResult(network=network, report=report, rows=rows, missing=built.missing)


def run_of(session: Session, image_nchw: Floats) -> Callable[[], Floats]:
    """One run on that image in the layout and numbers which the file takes: litert-torch keeps NCHW, ours is NHWC, and
    ai-edge-quantizer's files take and give int8."""
    (taken,) = session.signature.inputs
    (given,) = session.signature.outputs
    is_nchw = taken.shape == image_nchw.shape
    image: Tensor = image_nchw if is_nchw else np.ascontiguousarray(np.moveaxis(image_nchw, 1, -1))
    scales = session.end_scales() if isinstance(session, LiteRtSession) else {}
    if taken.name in scales:
        scale, zero_point = scales[taken.name]
        limits = np.iinfo(taken.dtype)
        steps = np.round(image.astype(np.float64) / scale) + zero_point
        image = np.clip(steps, limits.min, limits.max).astype(taken.dtype)
    if given.name not in scales:
        return lambda: cast(Floats, session.run({taken.name: image})[given.name])
    step, zero = scales[given.name]
    return lambda: np.float32(step) * (session.run({taken.name: image})[given.name].astype(np.float32) - zero)


def in_turn(runs: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """Calls the next of `runs` each time, the first after the last."""
    turns = itertools.cycle(runs)
    return lambda: next(turns)()


def difference(module: nn.Module, session: Session, images_nchw: Floats) -> float:
    """The largest difference of the outputs from the module's, image by image, over the module's largest output."""
    with torch.no_grad():
        expected = np.concatenate([module(image[None]).numpy() for image in torch.from_numpy(images_nchw)])
    found = np.concatenate([run_of(session, image[None])() for image in images_nchw])
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def own_error(module: nn.Module, images_nchw: Floats) -> float:
    """How far PyTorch's own float32 is from float64, the worst of its draws, over the largest output."""
    images = torch.from_numpy(images_nchw)
    with torch.no_grad():
        exact = copy.deepcopy(module).double()(images.double()).numpy()
        draws = [draw(images).numpy() for draw in float32_draws(module)]
    return float(max(np.abs(draw - exact).max() for draw in draws) / np.abs(exact).max())


def bound_of(form: TfliteForm, error: float) -> float | None:
    """The largest difference at which a file is measured, as for exports; None where it is rounded on purpose."""
    tolerance = form.tolerance
    return None if tolerance is None else max(tolerance.relative, tolerance.own_error_multiple * error)


def check_differences(network: str, differences: Mapping[str, float], bounds: Mapping[str, float | None]) -> None:
    """Every difference is within its file's bound; NaN is within none. Raises WrongAnswerError."""
    problems = tuple(
        f"{name}: differs by {differences[name]:.1e} of the largest output, expected at most {bound:.1e}"
        for name, bound in bounds.items()
        if bound is not None and not differences[name] <= bound
    )
    if problems:
        raise WrongAnswerError(network, problems)


def _row(report: LatencyReport, name: str, file: BenchFile, baseline: BenchFile, difference_found: float) -> TfliteRow:
    ratio = report.ratio(name, CONVERTER, Clock.CPU)
    against = file.form.goal_against
    is_there = any(candidate.name == against for candidate in report.candidates)
    return TfliteRow(
        name=name,
        median_ms=report.candidate(name).median_ns(Clock.CPU) / 1e6,
        ratio=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        size_bytes=len(file.content),
        size_ratio=len(file.content) / len(baseline.content),
        difference=difference_found,
        capture_seconds=file.capture_seconds,
        write_seconds=file.write_seconds,
        time_goal=file.form.time_goal,
        size_goal=file.form.size_goal,
        goal_against=against,
        goal_ratio=report.ratio(name, against, Clock.CPU).ratio if is_there else None,
    )
