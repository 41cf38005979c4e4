"""The oldest ONNX Runtime that runs a file.

Two things of a file can be too new for a runtime: the version of its container (IR), and its operator set.
The pairs are those of ONNX Runtime's own compatibility table up to 1.16, and for newer ones those of the
release that took up the ONNX release in question.
"""

from __future__ import annotations

from types import MappingProxyType

RUNTIME_OF_IR_VERSION = MappingProxyType({8: (1, 10), 9: (1, 16), 10: (1, 18), 11: (1, 23)})
RUNTIME_OF_OPSET = MappingProxyType(
    {17: (1, 12), 18: (1, 14), 19: (1, 15), 20: (1, 17), 21: (1, 18), 22: (1, 21), 23: (1, 23), 24: (1, 24)}
)


def minimum_runtime(ir_version: int, opset: int) -> str:
    """The requirement, as a package manager reads it. Raises KeyError for a version not in the tables."""
    major, minor = max(RUNTIME_OF_IR_VERSION[ir_version], RUNTIME_OF_OPSET[opset])
    return f"onnxruntime>={major}.{minor}"
