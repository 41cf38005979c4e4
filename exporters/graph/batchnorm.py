"""BatchNormalization in inference: one scale and one shift a channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import attribute_float, attribute_int, constant, is_op


@dataclass(frozen=True, kw_only=True)
class ChannelAffine:
    """y = scale * x + shift, per channel, float64."""

    scale: np.ndarray
    shift: np.ndarray


def batchnorm_affine(node: ir.Node) -> ChannelAffine | None:
    """The affine map of an inference BatchNormalization with constant statistics; None for anything else."""
    if not is_op(node, "BatchNormalization") or attribute_int(node, "training_mode", 0) != 0:
        return None
    arrays = [constant(value) for value in node.inputs[1:5]]
    if any(array is None for array in arrays):
        return None
    gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays if array is not None)
    scale = gamma / np.sqrt(variance + attribute_float(node, "epsilon", 1e-5))
    return ChannelAffine(scale=scale, shift=beta - mean * scale)
