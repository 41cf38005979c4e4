"""What a network and its int8 files answer on images, and how far the answers differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from condmix.deploy.bench.accuracy_files import AccuracyFile
from condmix.deploy.bench.accuracy_images import AccuracyImages
from condmix.deploy.format_choices import ONNX
from condmix.deploy.int8.candidate import as_run
from condmix.runtime.agreement import agreement
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend

BATCH = 64
POINTS = 100.0
"""Accuracy and its loss are told in points of a hundred."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Of every class, (images, classes), on the held-out digits and on the many."""

    held_out: np.ndarray
    many: np.ndarray


@dataclass(frozen=True, kw_only=True)
class AccuracyRow:
    """One int8 file in the table.

    top1, drop_points: on held-out digits, the drop against the float network; agreement: with its answers, on held-out
    digits and on many; sqnr_db: median over the held-out ones. All None where the file could not be run: `remark` says
    why. size_ratio: to the float32 weights; None without a file.
    """

    name: str
    top1: float | None
    drop_points: float | None
    agreement_held_out: float | None
    agreement_many: float | None
    sqnr_db: float | None
    size_bytes: int | None
    size_ratio: float | None
    remark: str


def float_scores(module: nn.Module, images: AccuracyImages) -> Scores:
    """Of the network in PyTorch."""
    return Scores(held_out=_in_batches(module, images.held_out_nchw), many=_in_batches(module, images.many_nchw))


def file_scores(file: AccuracyFile, images: AccuracyImages) -> Scores:
    """Of the file in its engine, one thread, an image a call. Raises what the engine raises."""
    assert file.content is not None
    if file.format == ONNX:
        run = as_run(OnnxRuntimeBackend().open(file.content, threads=1), file.layout, {})
    else:
        session = LiteRtBackend().open(file.content, threads=1)
        run = as_run(session, file.layout, session.end_scales())
    held_out, many = (
        next(iter(run(array).values())).reshape(len(array), -1) for array in (images.held_out_nchw, images.many_nchw)
    )
    return Scores(held_out=held_out, many=many)


def top1(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose highest score is their label's."""
    return float((scores.argmax(axis=1) == labels).mean())


def same_answers(one: np.ndarray, other: np.ndarray) -> float:
    """The share of images for which both name the same class."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def row_of(file: AccuracyFile, found: Scores, exact: Scores, labels: np.ndarray, float_size_bytes: int) -> AccuracyRow:
    """The file beside the float network."""
    (output,) = agreement({"scores": exact.held_out}, {"scores": found.held_out})
    accuracy = top1(found.held_out, labels)
    return replace(
        row_without_scores(file, file.remark, float_size_bytes),
        top1=accuracy,
        drop_points=POINTS * (top1(exact.held_out, labels) - accuracy),
        agreement_held_out=same_answers(exact.held_out, found.held_out),
        agreement_many=same_answers(exact.many, found.many),
        sqnr_db=output.sqnr_db_median,
    )


def row_without_scores(file: AccuracyFile, reason: str, float_size_bytes: int) -> AccuracyRow:
    """The row of a file that there is not, or that its engine does not run."""
    size = None if file.content is None else len(file.content)
    return AccuracyRow(
        name=file.name,
        top1=None,
        drop_points=None,
        agreement_held_out=None,
        agreement_many=None,
        sqnr_db=None,
        size_bytes=size,
        size_ratio=None if size is None else size / float_size_bytes,
        remark=reason,
    )


def _in_batches(module: nn.Module, images_nchw: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        rows = [
            module(torch.from_numpy(images_nchw[start : start + BATCH])).numpy()
            for start in range(0, len(images_nchw), BATCH)
        ]
    return np.concatenate(rows)
