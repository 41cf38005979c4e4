"""What condmix.deploy.devices raises: the device, the step, what was found, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from condmix.deploy.errors import DeployError, PlanError


class DeviceError(DeployError):
    """A device could not do its part; nothing half-written is left on it, unless the text says so.

    device: as it was addressed. step: in which it happened ("connect", "push", "measure" ...).
    """

    def __init__(self, device: str, step: str, found: str, next_step: str, *, expected: str | None = None) -> None:
        self.device = device
        self.step = step
        self.found = found
        self.expected = expected
        self.next_step = next_step
        wanted = "" if expected is None else f", expected {expected}"
        super().__init__(f"{device}: {step}: {found}{wanted}. {next_step}")


class DeviceAddressError(PlanError):
    """Devices were named in a way that is not understood; `problems` has one line for each, with what would be."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("no device can be used:", problems)
