"""Building, checking and timing the TFLite files of a network, all in one interleaved run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from condmix.deploy.bench.errors import WrongAnswerError
from condmix.deploy.bench.litert_environment import convert
from condmix.deploy.bench.subjects import SEED, settled_network
from condmix.deploy.bench.tflite_subjects import FLOAT32_DIFFERENCE, TfliteSubject, captured_timed, written_timed
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.session import Session
from condmix.runtime.signature import Tensor

CONVERTER = "litert-torch"
TWIN_CONVERTER = "static twin, litert-torch"
TWIN = "static twin, condmix"
CHECKED_IMAGES = 4


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """One file beside its speed.

    difference: largest absolute difference from PyTorch over the images, relative to PyTorch's largest output.
    allowed_difference: the most of it with which the file is measured.
    convert_seconds: CPU seconds of each half: capturing the network with torch, and writing the file; litert-torch
        does both in one.
    time_goal, size_goal: ratios to litert-torch's file that were set as goals.
    """

    size_bytes: int
    difference: float
    allowed_difference: float
    convert_seconds: Mapping[str, float]
    time_goal: float | None = None
    size_goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class TfliteResult:
    """One network's measurement; `files` has the facts of every candidate but the control."""

    network: str
    report: LatencyReport
    files: Mapping[str, FileFacts]
    converter_versions: Mapping[str, str]

    def ratio(self, name: str) -> tuple[float | None, float | None, float | None]:
        """Time over that of litert-torch's file on the computing thread's clock, and its interval."""
        ratio = self.report.ratio(name, CONVERTER, Clock.CPU)
        return ratio.ratio, ratio.low, ratio.high


@dataclass(frozen=True, kw_only=True)
class _File:
    content: bytes
    module: nn.Module
    allowed_difference: float
    convert_seconds: Mapping[str, float]
    time_goal: float | None = None
    size_goal: float | None = None


def measure_tflite_subject(
    subject: TfliteSubject, python: Path, size: int, settings: LatencySettings, report_progress: Callable[[str], None]
) -> TfliteResult:
    """All files of a subject compute what PyTorch computes and were timed, one thread each, in one interleaved run.

    python: the interpreter of the environment with litert-torch.
    Raises ConverterFailedError, WrongAnswerError (all files at once), and what capturing and writing raise.
    """
    files, versions = _build(subject, python, size, report_progress)
    report_progress(f"comparing and timing {len(files)} files")
    images = np.random.default_rng(SEED).standard_normal((CHECKED_IMAGES, 3, size, size)).astype(np.float32)
    sessions = {name: LiteRtBackend().open(file.content, threads=1) for name, file in files.items()}
    differences = {name: difference_from(file.module, sessions[name], images) for name, file in files.items()}
    # A NaN is beyond every bound, so it is asked whether the difference is within.
    wrong = tuple(
        f"{name} differs by {differences[name]:.1e} of the largest output, at most {file.allowed_difference:.0e} allowed"
        for name, file in files.items()
        if not differences[name] <= file.allowed_difference
    )
    if wrong:
        raise WrongAnswerError(subject.network, wrong)
    report = measure({name: _runner(session, images[:1]) for name, session in sessions.items()}, settings=settings)
    facts = {
        name: FileFacts(
            size_bytes=len(file.content),
            difference=differences[name],
            allowed_difference=file.allowed_difference,
            convert_seconds=file.convert_seconds,
            time_goal=file.time_goal,
            size_goal=file.size_goal,
        )
        for name, file in files.items()
    }
    return TfliteResult(network=subject.network, report=report, files=facts, converter_versions=versions)


def difference_from(module: nn.Module, session: Session, images_nchw: Tensor) -> float:
    """The largest difference of the session from the module, one image at a time, over the module's largest output."""
    with torch.no_grad():
        rows = [module(torch.from_numpy(images_nchw[index : index + 1])).numpy() for index in range(len(images_nchw))]
    found = [_runner(session, images_nchw[index : index + 1])() for index in range(len(images_nchw))]
    expected = np.concatenate(rows).astype(np.float64)
    return float(np.abs(np.concatenate(found) - expected).max() / np.abs(expected).max())


def _build(
    subject: TfliteSubject, python: Path, size: int, report_progress: Callable[[str], None]
) -> tuple[dict[str, _File], Mapping[str, str]]:
    module = settled_network(subject.network, {}, size)
    report_progress("converting with litert-torch (about a minute)")
    files, versions = {}, {}
    files[CONVERTER], versions = _converted(python, subject.network, module, size)
    report_progress("converting with condmix")
    captured, capture_seconds = captured_timed(module, size)
    for name, form in subject.forms.items():
        content, seconds = written_timed(captured, form.options)
        files[name] = _File(
            content=content,
            module=module,
            allowed_difference=form.largest_difference,
            convert_seconds={"capture": capture_seconds, "write": seconds},
            time_goal=form.time_goal,
            size_goal=form.size_goal,
        )
    if subject.twin is not None:
        report_progress("converting the static twin, both ways")
        twin = settled_network(subject.twin, {}, size)
        files[TWIN_CONVERTER], _ = _converted(python, subject.twin, twin, size)
        captured, capture_seconds = captured_timed(twin, size)
        content, seconds = written_timed(captured, TfliteOptions())
        files[TWIN] = _File(
            content=content,
            module=twin,
            allowed_difference=FLOAT32_DIFFERENCE,
            convert_seconds={"capture": capture_seconds, "write": seconds},
        )
    return files, versions


def _converted(python: Path, network: str, module: nn.Module, size: int) -> tuple[_File, Mapping[str, str]]:
    conversion = convert(python, network, module, size)
    file = _File(
        content=conversion.content,
        module=module,
        allowed_difference=FLOAT32_DIFFERENCE,
        convert_seconds={"both": conversion.cpu_seconds},
    )
    return file, conversion.versions


def _runner(session: Session, image_nchw: Tensor) -> Callable[[], Tensor]:
    """One run on an image in the layout that the file takes: litert-torch keeps PyTorch's, ours is TFLite's."""
    (spec,) = session.signature.inputs
    (output,) = session.signature.outputs
    is_nchw = spec.shape == image_nchw.shape
    feeds = {spec.name: image_nchw if is_nchw else np.ascontiguousarray(np.moveaxis(image_nchw, 1, -1))}
    return lambda: session.run(feeds)[output.name]
