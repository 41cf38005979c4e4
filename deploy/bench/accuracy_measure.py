"""One network measured: trained or loaded, made into int8 files by all tools, and every file's answers counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from condmix.deploy.bench.accuracy_files import (
    ONNX_INT8,
    TFLITE_INT8,
    AccuracyFile,
    litert_file,
    our_files,
    stock_files,
)
from condmix.deploy.bench.accuracy_images import AccuracyImages, accuracy_images
from condmix.deploy.bench.accuracy_page import ImageCounts, NetworkAccuracy
from condmix.deploy.bench.accuracy_scores import (
    AccuracyRow,
    Scores,
    file_scores,
    float_scores,
    row_of,
    row_without_scores,
    same_answers,
    top1,
)
from condmix.deploy.bench.accuracy_subjects import AccuracySubject, trained_network
from condmix.models.condconv import Routing
from condmix.models.epochs import TrainingProgress
from condmix.runtime.errors import InferenceError, ModelUnreadableError, one_line

CALIBRATION_FILE = "digits-calibration.npy"

ReportProgress = Callable[[str], None]


def measure(
    subject: AccuracySubject, output: Path, checkpoints: Path, python: Path | None, report_progress: ReportProgress
) -> tuple[NetworkAccuracy, ImageCounts]:
    """One network's table; its files lie in `<output>/<network>/`. python: of the environment with litert-torch.

    Raises what training, exports and engines raise.
    """
    name = subject.network

    def told(text: str) -> None:
        report_progress(f"{name}: {text}")

    def epoch(progress: TrainingProgress) -> None:
        told(f"epoch {progress.epoch} of {progress.epochs}, loss {progress.loss:.3f}")

    network, checkpoint = trained_network(subject, checkpoints, epoch)
    images = accuracy_images(network.input_size)
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    calibration = folder / CALIBRATION_FILE
    np.save(calibration, images.calibration_nchw)
    conditional = any(isinstance(part, Routing) for part in network.module.modules())
    files, float_size_bytes = our_files(checkpoint, calibration, folder, conditional=conditional, report_progress=told)
    files += stock_files(network, images.calibration_nchw, told)
    files.append(litert_file(python, name, network, images.calibration_nchw, told))
    told("float scores")
    exact = float_scores(network.module, images)
    scored = {file.name: _scored(file, images, told) for file in files}
    result = NetworkAccuracy(
        network=name,
        command=subject.command,
        float_top1=top1(exact.held_out, images.held_out_labels),
        float_size_bytes=float_size_bytes,
        rows=_rows(files, scored, exact, images, float_size_bytes),
        tool_versions=files[-1].versions,
        **_agreement_of_formats(scored),
    )
    counts = ImageCounts(
        calibration=len(images.calibration_nchw), held_out=len(images.held_out_nchw), many=len(images.many_nchw)
    )
    return result, counts


def _scored(file: AccuracyFile, images: AccuracyImages, told: ReportProgress) -> Scores | str:
    """The file's answers, or why it gives none."""
    if file.content is None:
        return file.remark
    told(f"scores of {file.name}")
    try:
        return file_scores(file, images)
    except ModelUnreadableError as error:
        return f"its file cannot be opened: {error.reason}"
    except InferenceError as error:
        return one_line(error)


def _rows(
    files: Sequence[AccuracyFile],
    scored: Mapping[str, Scores | str],
    exact: Scores,
    images: AccuracyImages,
    float_size_bytes: int,
) -> tuple[AccuracyRow, ...]:
    rows = []
    for file in files:
        found = scored[file.name]
        if isinstance(found, str):
            rows.append(row_without_scores(file, found, float_size_bytes))
        else:
            rows.append(row_of(file, found, exact, images.held_out_labels, float_size_bytes))
    return tuple(rows)


def _agreement_of_formats(scored: Mapping[str, Scores | str]) -> dict[str, float | None]:
    onnx, tflite = scored.get(ONNX_INT8), scored.get(TFLITE_INT8)
    if not isinstance(onnx, Scores) or not isinstance(tflite, Scores):
        return {"agreement_held_out": None, "agreement_many": None}
    return {
        "agreement_held_out": same_answers(onnx.held_out, tflite.held_out),
        "agreement_many": same_answers(onnx.many, tflite.many),
    }
