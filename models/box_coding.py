"""Between corners of boxes and what a detector's head gives: distances from anchors."""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

CENTRE_SCALE = 0.1
SIZE_SCALE = 0.2
"""The head's numbers times these are distances: of centres in anchor sizes, of sizes in natural logarithms."""
TAIL = "decode"
"""The path of the module that decodes."""


def encode(corners: Tensor, anchors: Tensor) -> Tensor:
    """The deltas (..., 4) for which `decode` gives these corners (..., 4) with these anchors (..., 4)."""
    size = corners[..., 2:] - corners[..., :2]
    centre = (corners[..., 2:] + corners[..., :2]) / 2
    moved = (centre - anchors[..., :2]) / anchors[..., 2:] / CENTRE_SCALE
    return torch.cat((moved, torch.log(size / anchors[..., 2:]) / SIZE_SCALE), dim=-1)


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Corners (..., 4) x_min, y_min, x_max, y_max in shares of the picture, clipped to it.

    deltas (..., 4): of centre x and y, width and height; anchors likewise (condmix.models.anchors).
    Source: the box coder of Faster R-CNN, arXiv 1506.01497, equation 2, scaled as in the TensorFlow Object Detection
    API (10, 10, 5, 5).
    """
    centre = deltas[..., :2] * (CENTRE_SCALE * anchors[..., 2:]) + anchors[..., :2]
    half = torch.exp(deltas[..., 2:] * SIZE_SCALE) * (0.5 * anchors[..., 2:])
    return torch.cat((centre - half, centre + half), dim=-1).clamp(0.0, 1.0)


class BoxDecoder(nn.Module):
    """The tail by itself, so that a file's record can name it."""

    anchors: Tensor

    def __init__(self, anchors: npt.NDArray[np.float32]) -> None:
        super().__init__()
        # Made from the settings and the input's size: not among a checkpoint's tensors.
        self.register_buffer("anchors", torch.from_numpy(anchors.copy()), persistent=False)

    def forward(self, deltas: Tensor, logits: Tensor) -> dict[str, Tensor]:
        """Deltas and logits to corners and probabilities."""
        return {"boxes": decode(deltas, self.anchors), "scores": torch.sigmoid(logits)}


@runtime_checkable
class GivesAnchors(Protocol):
    """A detector that says its anchors: one of the zoo, or anybody's with the same coding.

    Its result is a dictionary with `boxes` (batch, anchors, 4), deltas as `decode` reads them, and `scores` (batch,
    anchors, classes), logits of independent sigmoids.
    """

    def anchors(self, height: int, width: int) -> npt.NDArray[np.float32]:
        """Centre x, centre y, width and height (count, 4), in shares of a picture of that size."""
        ...


def with_decoding(detector: nn.Module, anchors: npt.NDArray[np.float32]) -> nn.Module:
    """A copy whose `boxes` are corners and whose `scores` are probabilities; the anchors are its constants.

    The paths of its modules stay what they are; the tail is the module `decode`.
    """
    decoded = copy.deepcopy(detector)
    own = type(decoded)

    def forward(self: nn.Module, x: Tensor) -> dict[str, Tensor]:
        raw = own.forward(self, x)
        tail = self.get_submodule(TAIL)
        return tail(raw["boxes"], raw["scores"])  # type: ignore[no-any-return]

    # A class of its own, not a module around it: a checkpoint's names and those of the report stay the same.
    decoded.__class__ = type(own.__name__, (own,), {"forward": forward})
    decoded.add_module(TAIL, BoxDecoder(anchors))
    return decoded.train(detector.training)
