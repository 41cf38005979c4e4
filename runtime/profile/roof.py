"""What an engine and this machine can do, measured on as many threads as the file is profiled on."""

from __future__ import annotations

from condmix.runtime.profile.bandwidth import memory_bandwidth
from condmix.runtime.profile.peak import float_peak, int8_peak
from condmix.runtime.profile.records import Roof


def measure_roof(engine: str, threads: int) -> Roof:
    """Takes about a second. engine: the name of a session's engine.

    Raises EngineMissingError, ModelUnreadableError, SessionFailedError.
    """
    return Roof(
        float_multiply_adds=float_peak(engine, threads),
        int8_multiply_adds=int8_peak(engine, threads),
        bandwidth=memory_bandwidth(threads),
    )
