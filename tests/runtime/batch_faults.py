"""Networks that are right at batch 1 and wrong beyond it."""

import numpy as np
from onnx import helper


def mixes_neighbours() -> dict:
    """right + 0.01 (right - mean over the batch): exact at batch 1."""
    return {
        "fault": [
            helper.make_node("ReduceMean", ["right", "axis"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["right", "mean"], ["difference"]),
            helper.make_node("Mul", ["difference", "small"], ["shift"]),
            helper.make_node("Add", ["right", "shift"], ["logits"]),
        ],
        "constants": {"axis": np.array([0], np.int64), "small": np.array(0.01, np.float32)},
    }


def depends_on_the_position() -> dict:
    """right times 1, 1.01, 1.02 ... along the batch: exact at batch 1."""
    return {
        "fault": [
            helper.make_node("Mul", ["right", "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "small"], ["smalls"]),
            helper.make_node("CumSum", ["smalls", "axis"], ["ramp"], exclusive=1),
            helper.make_node("Mul", ["right", "ramp"], ["shift"]),
            helper.make_node("Add", ["right", "shift"], ["logits"]),
        ],
        "constants": {
            "zero": np.array(0, np.float32),
            "small": np.array(0.01, np.float32),
            "axis": np.array(0, np.int64),
        },
    }


def reverses_the_batch() -> dict:
    return {
        "fault": [helper.make_node("Slice", ["right", "start", "end", "axis", "step"], ["logits"])],
        "constants": {
            "start": np.array([-1], np.int64),
            "end": np.array([np.iinfo(np.int64).min], np.int64),
            "axis": np.array([0], np.int64),
            "step": np.array([-1], np.int64),
        },
    }
