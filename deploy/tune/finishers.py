"""The finishers of this project: the file that is laid out for this very machine."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from condmix.deploy.devices.address import Kind
from condmix.deploy.tune.plan import TunePlan
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.machine.graft import BLOCKED, graft
from condmix.exporters.records import LayerForm
from condmix.exporters.tune.finisher import Finisher


def finishers_for(plan: TunePlan) -> tuple[Finisher, ...]:
    """Those that can be made here for the plan's device: only this machine's runtime lays a file out for it."""
    if plan.device.address.kind is not Kind.LOCAL:
        return ()
    return (Finisher(name=BLOCKED, refuse=_refuse, write=_write),)


def _refuse(batch: BatchAxis) -> str | None:
    return None if batch.is_one else "one kernel serves one image only"


def _write(model: ir.Model, batch: BatchAxis, opset: int, forms: Sequence[LayerForm]) -> bytes:
    del batch
    content: bytes = graft(model, opset=opset, forms=forms).proto.SerializeToString()
    return content
