"""Waiting until a phone is cool, so that a measurement begins where the one before it began."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from condmix.deploy.devices.device import Say
from condmix.deploy.devices.phone_facts import PhoneState

TARGET_CELSIUS = 37.0
MOST_SECONDS = 300.0
_POLL_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Cooling:
    """How the waiting ended. sensor and degrees: None where the phone tells no temperature.

    reached: the target, and no thermal limit in force; None where that cannot be known.
    """

    target_celsius: float
    sensor: str | None
    start_celsius: float | None
    end_celsius: float | None
    waited_seconds: float
    reached: bool | None

    def sentence(self) -> str:
        """For a report."""
        if self.sensor is None:
            return "the phone tells no temperature: whether it was cool is not known"
        how = f"{self.sensor} at {self.end_celsius:.1f} °C after {self.waited_seconds:.0f} s of waiting"
        if self.reached:
            return f"{how}, target {self.target_celsius:g} °C"
        return f"it did not cool down to {self.target_celsius:g} °C: {how}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "sentence": self.sentence()}


def wait_until_cool(
    read: Callable[[], PhoneState],
    *,
    target_celsius: float,
    most_seconds: float,
    say: Say,
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Cooling:
    """The phone is at the target and is not being slowed down, or the time is over, or `stop` was set."""
    began = clock()
    state = read()
    first = state.warmth()
    while True:
        warmth = state.warmth()
        cool = warmth is not None and warmth[1] <= target_celsius and not state.thermal_status
        waited = clock() - began
        known = warmth is not None
        if cool or not known or waited >= most_seconds or (stop is not None and stop.is_set()):
            return Cooling(
                target_celsius=target_celsius,
                sensor=None if warmth is None else warmth[0],
                start_celsius=None if first is None else first[1],
                end_celsius=None if warmth is None else warmth[1],
                waited_seconds=round(waited, 1),
                reached=cool if known else None,
            )
        assert warmth is not None
        limit = "" if not state.thermal_status else f", thermal status {state.status_words()}"
        say(f"cooling: {warmth[0]} at {warmth[1]:.1f} °C, target {target_celsius:g} °C{limit}")
        sleep(min(_POLL_SECONDS, max(0.0, most_seconds - waited)))
        state = read()
