"""From a plan and a rewritten graph to what tuning found."""

from __future__ import annotations

import contextlib

import onnx_ir as ir

from condmix.deploy.devices.device import Say
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.open_device import open_device
from condmix.deploy.devices.wheels import device_cache
from condmix.deploy.tune.cache import TuneCache
from condmix.deploy.tune.finishers import finishers_for
from condmix.deploy.tune.measuring import Measuring
from condmix.deploy.tune.plan import TunePlan
from condmix.deploy.tune.record import Tuned
from condmix.deploy.tune.remembered import Remembered
from condmix.deploy.tune.search import DYNAMIC_MEASURED_BATCH, Search


def tune(plan: TunePlan, model: ir.Model, *, batch: int | None, opset: int, say: Say) -> Tuned:
    """The fastest forms of a rewritten graph on the plan's device. Raises DeviceError, KeyboardInterrupt."""
    device = open_device(plan.device, device_cache())
    cache = TuneCache(plan.cache)
    measuring = Measuring(device, threads=plan.threads, batch=DYNAMIC_MEASURED_BATCH if batch is None else None)
    try:
        say("tune: look at the device")
        machine = measuring.machine(say)
        common = {"opset": opset, "batch": batch}
        runs = Remembered(measuring, cache, machine, common, seconds=plan.seconds)
        finishers = finishers_for(plan)
        search = Search(model, batch, opset, runs, machine=machine, say=say, finishers=finishers)
        tuned = search.run(plan.threads)
    finally:
        with contextlib.suppress(DeviceError):
            device.close()
    return tuned.noting(cache.notes)
