"""Anchors of anybody's detector are taken when they fit its outputs; else it is said what they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from condmix.models.anchor_check import AnchorsError, checked_anchors

SIZE = (3, 8, 8)


class Own(nn.Module):
    """Four anchors and two classes; every part of it can be another one."""

    def __init__(self, given: Callable[[int, int], object], result: Callable[[int], object] | None = None) -> None:
        super().__init__()
        self.given, self.result = given, result

    def forward(self, x: Tensor) -> object:
        if self.result is not None:
            return self.result(len(x))
        return {"boxes": torch.zeros(len(x), 4, 4), "scores": torch.zeros(len(x), 4, 2)}

    def anchors(self, height: int, width: int) -> object:
        return self.given(height, width)


def four(height: int, width: int) -> np.ndarray:
    return np.full((4, 4), height / width / 2)


def test_anchors_that_fit_are_float32_and_the_network_is_left_in_its_mode() -> None:
    module = Own(four).train()
    found = checked_anchors(module, SIZE)
    assert (found.dtype, found.shape) == (np.float32, (4, 4))
    assert module.training
    assert checked_anchors(Own(lambda h, w: torch.from_numpy(four(h, w))), SIZE).shape == (4, 4)


def fails(_height: int, _width: int) -> object:
    message = "no such stride"
    raise ZeroDivisionError(message)


@pytest.mark.parametrize(
    ("given", "result", "words"),
    [
        (fails, None, r"its anchors\(8, 8\) fails: no such stride"),
        (lambda h, w: four(h, w)[:3], None, r"it gives 3 anchors, boxes \[1, 4, 4\] and scores \[1, 4, 2\]: expected"),
        (lambda h, w: four(h, w).T.reshape(-1), None, r"its anchors are float64 of shape \[16\]: expected finite"),
        (lambda h, w: four(h, w) * np.nan, None, "expected finite floats"),
        (lambda h, w: four(h, w).astype(int), None, "its anchors are int64"),
        (four, lambda n: torch.zeros(n, 4, 4), "its result is a Tensor: expected a dictionary"),
        (four, lambda n: {"box": torch.zeros(n, 4, 4)}, r"its result is a dictionary of \['box'\]"),
        (four, lambda n: [][n], "its result is not known: it fails on an image of zeros"),
        (four, lambda n: {"boxes": torch.zeros(n, 4, 4), "scores": torch.zeros(n, 8)}, r"scores \[1, 8\]"),
    ],
)
def test_what_does_not_fit_is_said(
    given: Callable[[int, int], object], result: Callable[[int], object] | None, words: str
) -> None:
    with pytest.raises(AnchorsError, match=words):
        checked_anchors(Own(given, result), SIZE)
