"""The file for this machine is a finisher only where this machine is what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.devices.run import named_devices
from condmix.deploy.tune.finishers import finishers_for
from condmix.deploy.tune.plan import TunePlan
from condmix.exporters.lower.batch_axis import BatchAxis


@pytest.mark.parametrize(("address", "names"), [("local", ["blocked"]), ("ssh://board", []), ("adb", [])])
def test_only_here(address: str, names: list[str]) -> None:
    (device,) = named_devices([address])
    assert [one.name for one in finishers_for(TunePlan(device=device, cache=Path("c")))] == names


def test_only_for_one_image() -> None:
    (device,) = named_devices(["local"])
    (blocked,) = finishers_for(TunePlan(device=device, cache=Path("c")))
    assert blocked.refuse(BatchAxis(size=1)) is None
    assert (
        blocked.refuse(BatchAxis(size=2)) == blocked.refuse(BatchAxis(size=None)) == "one kernel serves one image only"
    )
