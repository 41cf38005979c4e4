"""Devices that only act as such."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from condmix.deploy.devices.device import DeviceFacts, Say, silent
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.settings import BenchSettings
from tests.deploy.devices.boards import FACTS


class ActedDevice:
    """Conforms to `Device`; `act` is what it does to measure, given whether it was stopped."""

    def __init__(self, name: str, act: Callable[[threading.Event], BenchReport]) -> None:
        self.name = name
        self.closed = 0
        self._act = act

    def probe(self) -> DeviceFacts:
        return DeviceFacts.from_dict(FACTS)

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        say(f"{self.name}: {engines}")

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        assert stop is not None
        say(f"{self.name}: {len(plan.subjects)} {settings.seed} {len(command)}")
        return self._act(stop)

    def clean(self) -> str:
        return f"{self.name}: nothing"

    def close(self) -> None:
        self.closed += 1
