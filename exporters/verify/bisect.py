"""Which module, or place of a given file, is the first to leave the tolerance at a stage that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx

from condmix.exporters.captured import Tap
from condmix.exporters.verify.oracle import Oracle, oracle_of
from condmix.exporters.verify.records import Blame
from condmix.exporters.verify.shown_values import value_names, with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.parity import compare
from condmix.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from torch import nn


def first_module_beyond(
    stage: str,
    proto: onnx.ModelProto,
    taps: Sequence[Tap],
    network: Oracle | nn.Module,
    image_chw: np.ndarray,
    tolerance: Tolerance,
) -> Blame | None:
    """Compare the output of every module that the stage still shows, in order; None when all of them are within.

    Showing inner values can change what a runtime fuses, so a fault that lies in a fusion may hide here.
    """
    shown = value_names(proto)
    candidates = [tap for tap in taps if tap.value_name in shown]
    if not candidates:
        return None
    session = OnnxRuntimeBackend().open(
        with_outputs(proto, [tap.value_name for tap in candidates]).SerializeToString(), threads=1
    )
    actual = session.run(feeds(as_batch(image_chw), [spec.name for spec in session.signature.inputs]))
    inner = oracle_of(network).inner(candidates, image_chw)
    for tap in candidates:
        reference = inner.float64.get(tap.value_name)
        if reference is None or reference.shape != actual[tap.value_name].shape or not reference.size:
            continue
        report = compare(
            {tap.value_name: reference},
            {tap.value_name: actual[tap.value_name]},
            tolerance=tolerance,
            own_float32={tap.value_name: inner.float32[tap.value_name]},
            context={"stage": stage, "module": tap.module_path},
        )
        if not report.passed:
            return Blame(stage=stage, module_path=tap.module_path, value_name=tap.value_name, report=report)
    return None
