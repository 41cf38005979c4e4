"""From what was named to a device; nothing is reached for yet."""

from __future__ import annotations

from pathlib import Path

from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.address import Kind
from condmix.deploy.devices.device import Device
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.errors import DeviceAddressError
from condmix.deploy.devices.fleet import FleetDevice
from condmix.deploy.devices.local import LocalDevice
from condmix.deploy.devices.ssh import ssh_device


def open_device(named: FleetDevice, cache: Path) -> Device:
    """The device. Raises DeviceAddressError for one that is not reached in this way."""
    address = named.address
    if address.kind is Kind.LOCAL:
        return LocalDevice(named.name)
    if address.kind is Kind.EMULATED:
        return EmulatedDevice(address, name=named.name, cache=cache)
    if address.kind is Kind.SSH:
        return ssh_device(
            address,
            name=named.name,
            cache=cache,
            architecture=named.architecture,
            python=named.python or "python3",
            base=named.folder or "",
        )
    if address.kind is Kind.ADB:
        return AdbDevice(address.serial, name=named.name, cache=cache)
    problem = f"{address.text}: a browser is measured alone, without other devices"
    raise DeviceAddressError([problem])
