"""Figures of the accuracy table from answers that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from condmix.deploy.bench.accuracy_files import AccuracyFile
from condmix.deploy.bench.accuracy_images import AccuracyImages
from condmix.deploy.bench.accuracy_scores import (
    Scores,
    file_scores,
    float_scores,
    row_of,
    row_without_scores,
    same_answers,
    top1,
)
from condmix.deploy.compare.stock import stock_onnx

LABELS = np.array([0, 1, 2, 2])
EXACT = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
"""Three of four are right."""


def _images(count: int = 5) -> AccuracyImages:
    array = np.random.default_rng(0).standard_normal((count, 1, 4, 4)).astype(np.float32)
    return AccuracyImages(
        calibration_nchw=array, held_out_nchw=array, held_out_labels=np.zeros(count, int), many_nchw=array[::-1].copy()
    )


def test_accuracy_and_agreement_are_shares_of_images() -> None:
    found = np.eye(3)[[0, 2, 2, 2]]
    assert top1(EXACT, LABELS) == 0.75
    assert top1(found, LABELS) == 0.75
    assert same_answers(EXACT, found) == 0.5


def test_a_row_compares_a_file_with_the_float_network() -> None:
    file = AccuracyFile(name="a file", format="onnx", content=b"four", remark="remarkable")
    found = Scores(held_out=EXACT[[0, 0, 2, 3]], many=EXACT[[0, 1, 2, 0]])
    row = row_of(file, found, Scores(held_out=EXACT, many=EXACT), LABELS, 16)
    assert (row.top1, row.drop_points, row.agreement_held_out, row.agreement_many) == (0.5, 25.0, 0.75, 1.0)
    assert (row.size_bytes, row.size_ratio, row.remark) == (4, 0.25, "remarkable")
    assert row.sqnr_db == pytest.approx(200.0)  # three of four images are exact


def test_a_file_that_is_not_there_has_a_reason_and_nothing_else() -> None:
    file = AccuracyFile(name="a file", format="onnx", content=None, remark="not run")
    row = row_without_scores(file, "not run", 16)
    assert row.remark == "not run"
    figures = (row.top1, row.drop_points, row.agreement_held_out, row.agreement_many, row.sqnr_db, row.size_ratio)
    assert set(figures) == {None}


def test_scores_come_in_the_order_of_the_images() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    images = _images()
    exact = float_scores(module, images)
    assert exact.held_out.shape == (5, 3)
    np.testing.assert_allclose(exact.many, exact.held_out[::-1], rtol=1e-6)
    file = AccuracyFile(name="float", format="onnx", content=stock_onnx(module, (1, 4, 4)))
    found = file_scores(file, images)
    np.testing.assert_allclose(found.held_out, exact.held_out, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.many, exact.many, rtol=1e-5, atol=1e-6)
