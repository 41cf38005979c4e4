"""The conditions of a measurement on a phone: cores chosen, cooled down, a steady clock; and everything put back."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from condmix.deploy.devices.adb_client import AdbClient, last_words
from condmix.deploy.devices.device import Say
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.devices.phone_cooling import MOST_SECONDS, TARGET_CELSIUS, Cooling, wait_until_cool
from condmix.deploy.devices.phone_cores import FASTEST, cores_problem
from condmix.deploy.devices.phone_facts import PhoneState
from condmix.deploy.devices.phone_guard import PhoneGuard
from condmix.deploy.devices.phone_probe import read_state
from condmix.runtime.errors import InvalidSettingError

HOTTEST_TARGET = 100.0
_FIX = "cmd power set-fixed-performance-mode-enabled true"
_UNFIX = "cmd power set-fixed-performance-mode-enabled false"


@dataclass(frozen=True, kw_only=True)
class PhoneSettings:
    """How a phone is treated.

    cores: "fastest", "slowest", "all", or numbers such as "4-7".
    target_celsius, most_cooling_seconds: it is waited until the phone is so cool, and no longer.
    fixed_performance: Android is asked for a clock that it can hold, and told afterwards that this is over.
    """

    cores: str = FASTEST
    target_celsius: float = TARGET_CELSIUS
    most_cooling_seconds: float = MOST_SECONDS
    fixed_performance: bool = True

    def __post_init__(self) -> None:
        problems = [one for one in (cores_problem(self.cores),) if one is not None]
        if not 0 < self.target_celsius <= HOTTEST_TARGET:  # which holds for no NaN
            problems.append(
                f"degrees to cool to must be above 0, at most {HOTTEST_TARGET:g}, found {self.target_celsius}"
            )
        if not 0 <= self.most_cooling_seconds < math.inf:
            problems.append(f"seconds of cooling must be at least 0 and finite, found {self.most_cooling_seconds}")
        if problems:
            raise InvalidSettingError(problems, record="PhoneSettings")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What was reached. performance: how the request for a steady clock ended, in words; None when not made."""

    before: PhoneState
    cooling: Cooling
    performance: str | None


@contextlib.contextmanager
def conditions(
    client: AdbClient, guard: PhoneGuard, settings: PhoneSettings, *, say: Say, stop: threading.Event | None
) -> Iterator[Conditions]:
    """Within the block the phone is as the settings want it; behind it, it is as before. Raises DeviceError."""
    performance = _fix_performance(client, guard) if settings.fixed_performance else None
    try:
        cooling = wait_until_cool(
            lambda: read_state(client, step="cooling"),
            target_celsius=settings.target_celsius,
            most_seconds=settings.most_cooling_seconds,
            say=lambda text: say(f"{client.device}: {text}"),
            stop=stop,
        )
        yield Conditions(before=read_state(client, step="measure"), cooling=cooling, performance=performance)
    finally:
        if performance is not None:
            # Where the link is gone, the guard on the phone does it.
            with contextlib.suppress(DeviceError):
                client.shell(_UNFIX, step="restore")


def _fix_performance(client: AdbClient, guard: PhoneGuard) -> str:
    """How it went. The guard is told first, so that nothing can come between."""
    guard.remember(_UNFIX)
    done = client.shell(_FIX, step="performance mode")
    said = last_words(done.stderr or done.stdout)
    if done.code == 0 and not said:
        return "fixed performance mode was on"
    return f"fixed performance mode was refused: {said or f'exit code {done.code}'}"
