"""Scores of a file, whatever batch it takes and whatever numbers it stores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.evaluate.scores import Scorer, images_a_call, is_free
from condmix.runtime.errors import ComparisonImpossibleError, InvalidSettingError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.signature import Signature, Tensor, TensorSpec
from tests.deploy.evaluate.conftest import SIDE, WEIGHT, write_onnx, write_tflite

IMAGES = np.random.default_rng(3).uniform(-1, 1, (7, 1, SIDE, SIDE)).astype(np.float32)
EXACT = IMAGES.reshape(7, -1).astype(np.float64) @ WEIGHT.T.astype(np.float64)


class Double:
    """Stores integers on both sides and answers twice its input, or whatever it is told to."""

    def __init__(self, *, batch: int | str = 1, dtype: str = "int8", answer: np.ndarray | None = None) -> None:
        spec = TensorSpec(name="x", shape=(batch, 1, 1, 2), dtype=dtype)
        self.signature = Signature(inputs=(spec,), outputs=(TensorSpec(name="y", shape=(batch, 2), dtype=dtype),))
        self.fed: list[Tensor] = []
        self._answer = answer

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.fed.append(feeds["x"])
        return {"y": 2 * feeds["x"].reshape(len(feeds["x"]), 2) if self._answer is None else self._answer}


@pytest.mark.parametrize(("stored", "asked"), [("N", 1), ("N", 3), (1, 1), (4, 1)])
def test_an_onnx_file_of_any_batch(tmp_path: Path, stored: int | str, asked: int) -> None:
    session = OnnxRuntimeBackend().open(write_onnx(tmp_path / "a.onnx", batch=stored), threads=1)
    scores = Scorer(session, {}, batch=asked).scores(IMAGES)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, EXACT, atol=1e-5)


def test_a_tflite_file_gets_channels_last(tmp_path: Path) -> None:
    session = LiteRtBackend().open(write_tflite(tmp_path / "a.tflite"), threads=1)
    np.testing.assert_allclose(Scorer(session, {}, batch=1).scores(IMAGES), EXACT, atol=1e-5)


def test_integers_are_real_numbers_outside() -> None:
    session = Double()
    images = np.array([[[[1.0, -0.5]]]], np.float32)
    scores = Scorer(session, {"x": (0.5, 3), "y": (0.25, -1)}, batch=1).scores(images)
    assert session.fed[0].tolist() == [[[[5, 2]]]]
    assert scores.tolist() == [[0.25 * (10 + 1), 0.25 * (4 + 1)]]


def test_calls_are_all_of_one_size_and_begin_at_the_first_image() -> None:
    session = Double(batch="N", dtype="float32")
    images = np.arange(10, dtype=np.float32).reshape(5, 1, 1, 2)
    scores = Scorer(session, {}, batch=3).scores(images)
    assert [one[:, 0, 0, 0].tolist() for one in session.fed] == [[0, 2, 4], [6, 8, 6]]
    assert scores.tolist() == (2 * images.reshape(5, 2)).tolist()


@pytest.mark.parametrize("answer", [np.zeros((1, 1)), np.zeros(3)])
def test_what_is_not_a_row_of_scores_is_refused(answer: np.ndarray) -> None:
    session = Double(batch=2 if answer.size > 1 else 1, dtype="float32", answer=answer.astype(np.float32))
    with pytest.raises(ComparisonImpossibleError, match="expected two or more scores an image"):
        Scorer(session, {}, batch=1).scores(np.zeros((1, 1, 1, 2), np.float32))


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InvalidSettingError, match="an image of 'x' is 1x3x3, the file takes 1x1x2"):
        Scorer(Double(dtype="float32"), {}, batch=1).scores(np.zeros((1, 1, 3, 3), np.float32))


def test_the_batch_is_the_files_own_where_it_fixes_one() -> None:
    assert images_a_call(Double(batch=4).signature, 3) == 4
    assert images_a_call(Double(batch="N").signature, 3) == 3
    assert (is_free(Double(batch=4).signature), is_free(Double(batch="N").signature)) == (False, True)
