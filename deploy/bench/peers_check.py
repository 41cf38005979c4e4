"""What a row is fed and what it is compared with, in the layout and the numbers of its file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from condmix.deploy.bench.peers_rows import Doubles, Floats, Reference
from condmix.runtime.signature import Tensor
from condmix.runtime.tolerance import Tolerance


def bound(reference: Reference) -> float:
    """The largest difference of a float32 row: what our TFLite exports are held to, for everybody."""
    tolerance = Tolerance.for_precision("float32_tflite")
    return max(tolerance.relative, tolerance.own_error_multiple * reference.own_error)


def laid_out(image_nchw: Floats, shape: Sequence[int | str], dtype: str, scale: tuple[float, int] | None) -> Tensor:
    """The image in the layout and the numbers that a file takes: NCHW or NHWC, float32 or rounded by its scale."""
    is_nchw = len(shape) == 4 and shape[1] == image_nchw.shape[1]
    image = image_nchw if is_nchw else np.ascontiguousarray(np.moveaxis(image_nchw, 1, -1))
    if scale is None:
        return image
    limits = np.iinfo(dtype)
    steps = np.round(image.astype(np.float64) / scale[0]) + scale[1]
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def real(outputs: Tensor, scale: tuple[float, int] | None) -> Doubles:
    """[K, 1, classes] outputs as real numbers."""
    values = outputs.astype(np.float64)
    return values if scale is None else scale[0] * (values - scale[1])
