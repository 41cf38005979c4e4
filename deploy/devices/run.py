"""What `condmix bench --device` does: addresses and a fleet file to one result; --clean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.devices.address import Address, Kind, parse_addresses
from condmix.deploy.devices.device import Device, Say, silent
from condmix.deploy.devices.errors import DeviceAddressError, DeviceError
from condmix.deploy.devices.fleet import FleetDevice, read_fleet
from condmix.deploy.devices.open_device import DEFAULTS, DeviceOptions, open_device
from condmix.deploy.devices.result import DevicesResult
from condmix.deploy.devices.side_by_side import measure_side_by_side
from condmix.deploy.devices.wheels import device_cache
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.settings import BenchSettings


def named_devices(addresses: Sequence[str], fleet: Path | None = None) -> tuple[FleetDevice, ...]:
    """What --device and --fleet name: addresses, or names of the fleet file; with --fleet alone all of that file.

    Raises DeviceAddressError with every problem.
    """
    listed = () if fleet is None else read_fleet(fleet)
    by_name = {one.name: one for one in listed}
    if not addresses:
        return listed or (FleetDevice(name="local", address=Address(kind=Kind.LOCAL, text="local")),)
    problems = [f"{text} is given twice" for text in dict.fromkeys(addresses) if addresses.count(text) > 1]
    found = []
    for text in dict.fromkeys(addresses):
        try:
            found.append(by_name.get(text) or _unnamed(text))
        except DeviceAddressError as error:
            names = f"; names of {fleet} are {', '.join(by_name)}" if by_name else ""
            problems += [problem + names for problem in error.problems]
    if problems:
        raise DeviceAddressError(problems)
    return tuple(found)


def run_on_devices(
    named: Sequence[FleetDevice],
    plan: BenchPlan,
    settings: BenchSettings,
    *,
    options: DeviceOptions = DEFAULTS,
    command: Sequence[str] = (),
    say: Say = silent,
    cache: Path | None = None,
) -> DevicesResult:
    """One outcome for each device, measured side by side; `exit_code` of the result is that of the command.

    cache: of this side, for wheels and userlands.
    """
    place = device_cache() if cache is None else cache
    devices: list[tuple[str, Device]] = [(one.address.text, open_device(one, place, options)) for one in named]
    return measure_side_by_side(devices, plan, settings, command=command, say=say)


def clean_devices(named: Sequence[FleetDevice], *, cache: Path | None = None) -> tuple[list[str], list[str]]:
    """(what was removed, what failed): nothing of condmix is left on the devices that did not fail."""
    place = device_cache() if cache is None else cache
    removed, failed = [], []
    for one in named:
        device = open_device(one, place)
        try:
            removed.append(device.clean())
        except DeviceError as error:
            failed.append(str(error))
        finally:
            device.close()
    return removed, failed


def _unnamed(text: str) -> FleetDevice:
    (address,) = parse_addresses((text,))
    return FleetDevice(name=address.text, address=address)
