"""The TFLite files of a network: litert-torch's, ours, and both of its static twin, with what their making took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from torch import nn

from condmix.deploy.bench.errors import ConverterFailedError
from condmix.deploy.bench.litert_environment import Conversion, convert, quantize
from condmix.deploy.bench.subjects import settled_network
from condmix.deploy.bench.tflite_int8 import int8_tflite
from condmix.deploy.bench.tflite_subjects import CONVERTER, INT8, QUANTIZER, TfliteForm, TfliteSubject
from condmix.exporters.capture import capture
from condmix.exporters.tflite.build import build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.images import candidate_images
from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.litert_session import LiteRtBackend

TWIN_CONVERTER = "static twin, litert-torch"
TWIN = "static twin, condmix"

ReportProgress = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class BenchFile:
    """One file and the network it was made from.

    form: how it was written and what it has to reach; litert-torch's is held to what our plain one is.
    capture_seconds, write_seconds: CPU time from the module to the captured graph, and from there to the file, the
    median of the rounds; for litert-torch all of it is in write_seconds, once; for int8 files what came after the float
    graph or file, calibration included.
    """

    module: nn.Module
    content: bytes
    form: TfliteForm
    capture_seconds: float | None
    write_seconds: float


@dataclass(frozen=True, kw_only=True)
class BuiltFiles:
    """All files of a subject by their names in the table, litert-torch's first.

    versions: of the tools that wrote those of others. missing: what they could not make, or what the engine does not
    open, and why.
    """

    files: Mapping[str, BenchFile]
    versions: Mapping[str, str]
    missing: Mapping[str, str]


def build_files(
    subject: TfliteSubject, python: Path, size: int, rounds: int, report_progress: ReportProgress
) -> BuiltFiles:
    """All files of a subject.

    python: the interpreter of the environment with litert-torch. rounds: how often ours are made and timed.
    Raises ConverterFailedError, CaptureError or NotExportableError.
    """
    module = settled_network(subject.network, {}, size)
    report_progress(f"{subject.network}: converting with litert-torch, about a minute")
    conversion = convert(python, subject.network, module, size)
    files = {CONVERTER: _theirs(module, conversion)}
    versions, missing = dict(conversion.versions), {}
    report_progress(f"{subject.network}: converting with condmix")
    files |= _ours(module, size, rounds, subject.forms)
    if subject.int8 is not None:
        report_progress(f"{subject.network}: int8 with ai-edge-quantizer and condmix")
        try:
            quantized = quantize(
                python, subject.network, conversion.content, candidate_images((3, size, size)).array_nchw
            )
            LiteRtBackend().open(quantized.content, threads=1)
        except ConverterFailedError as error:
            missing[QUANTIZER] = error.last_line
        except ModelUnreadableError as error:
            missing[QUANTIZER] = f"its file cannot be opened: {error.reason}"
        else:
            files[QUANTIZER] = _int8(module, quantized.content, quantized.cpu_seconds, TfliteForm(options=None))
            versions |= quantized.versions
        files[INT8] = _int8(module, *int8_tflite(module, size), subject.int8)
    if subject.twin is not None:
        report_progress(f"{subject.twin}: converting with both")
        twin = settled_network(subject.twin, {}, size)
        files[TWIN_CONVERTER] = _theirs(twin, convert(python, subject.twin, twin, size))
        files |= _ours(twin, size, rounds, {TWIN: TfliteForm()})
    return BuiltFiles(files=files, versions=versions, missing=missing)


def _int8(module: nn.Module, content: bytes, cpu_seconds: float, form: TfliteForm) -> BenchFile:
    return BenchFile(module=module, content=content, form=form, capture_seconds=None, write_seconds=cpu_seconds)


def _theirs(module: nn.Module, conversion: Conversion) -> BenchFile:
    return BenchFile(
        module=module,
        content=conversion.content,
        form=TfliteForm(),
        capture_seconds=None,
        write_seconds=conversion.cpu_seconds,
    )


def _ours(module: nn.Module, size: int, rounds: int, forms: Mapping[str, TfliteForm]) -> dict[str, BenchFile]:
    captured, capture_seconds = _timed(partial(capture, module, (3, size, size)), rounds)
    files = {}
    for name, form in forms.items():
        built, write_seconds = _timed(
            partial(build_tflite, captured, form.options or TfliteOptions(), {}, _silent), rounds
        )
        files[name] = BenchFile(
            module=module,
            content=built.content,
            form=form,
            capture_seconds=capture_seconds,
            write_seconds=write_seconds,
        )
    return files


def _timed(make: Callable[[], T], rounds: int) -> tuple[T, float]:
    """What the last of `rounds` calls returned, and the median of their CPU seconds."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        made = make()
        seconds.append(time.process_time() - start)
    return made, statistics.median(seconds)


def _silent(_stage: str) -> None:
    """Stages of a conversion that is being timed are not told."""
