"""Constant folding and clean-up of a captured graph by onnxsim, with shapes inferred afterwards."""

from __future__ import annotations

import contextlib
import io

import onnx
import onnx_ir as ir
import onnxsim  # type: ignore[import-untyped]
from onnx_ir.passes.common import LiftConstantsToInitializersPass

from condmix.exporters.errors import GraphError


def simplify(model: ir.Model) -> ir.Model:
    """Return an equal model with constants folded, names of remaining values kept and all shapes known.

    onnxsim drops node metadata; the caller keeps what it needs by value name.
    Raises GraphError when onnxsim returns an invalid model.
    """
    proto = ir.to_proto(model)
    # onnxsim reports on stdout; only deploy/ prints in this project.
    with contextlib.redirect_stdout(io.StringIO()):
        simplified, checked = onnxsim.simplify(proto, check_n=0)
    if not checked:
        message = "onnxsim returned a model that fails its own check: expected an equal, valid model"
        raise GraphError(message)
    inferred = onnx.shape_inference.infer_shapes(simplified, strict_mode=True, data_prop=True)
    result = ir.from_proto(inferred)
    _lift_constants(result)
    return result


def _lift_constants(model: ir.Model) -> None:
    """Constants become initializers, so that every later rule sees one form only."""
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
