"""Anchors: the boxes that a single-shot detector starts from, one set for each cell of each feature map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ASPECT_RATIOS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)
_FIRST_MAP_SCALE = 0.1
"""Of the one square anchor of the finest map that is smaller than its scale: reduce_boxes_in_lowest_layer."""


def anchors_a_cell(map_index: int) -> int:
    """Three on the finest map; on all others one for each aspect ratio and a square one between two scales."""
    return 3 if map_index == 0 else len(ASPECT_RATIOS) + 1


def make_anchors(map_sizes: Sequence[tuple[int, int]], *, smallest: float, largest: float) -> npt.NDArray[np.float32]:
    """Anchors (count, 4) as centre x, centre y, width and height, in shares of the picture's width and height.

    map_sizes: height and width of each feature map, finest first. Scales rise evenly from `smallest` to `largest`.
    The order is map, row, column, anchor of the cell: that of the heads' outputs.
    Source: SSD, arXiv 1512.02325, section 2.2, with the scales and ratios of the TensorFlow Object Detection API.
    """
    count = len(map_sizes)
    step = (largest - smallest) / max(count - 1, 1)
    scales = [*(smallest + step * index for index in range(count)), 1.0]
    rows = []
    for index, (height, width) in enumerate(map_sizes):
        shapes_wh = np.array(_shapes(index, scales[index], scales[index + 1]), np.float64)
        y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
        centres = np.repeat(np.stack((x, y), axis=-1).reshape(-1, 2), len(shapes_wh), axis=0)
        rows.append(np.concatenate((centres, np.tile(shapes_wh, (height * width, 1))), axis=1))
    return np.concatenate(rows).astype(np.float32)


def _shapes(index: int, scale: float, next_scale: float) -> list[tuple[float, float]]:
    """Width and height of each anchor of a cell."""
    if index == 0:
        pairs = [(_FIRST_MAP_SCALE, 1.0), (scale, 2.0), (scale, 1 / 2)]
    else:
        pairs = [(scale, ratio) for ratio in ASPECT_RATIOS] + [(math.sqrt(scale * next_scale), 1.0)]
    return [(size * math.sqrt(ratio), size / math.sqrt(ratio)) for size, ratio in pairs]
