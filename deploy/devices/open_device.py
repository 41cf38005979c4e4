"""From what was named to a device; nothing is reached for yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.browser.address import LOOPBACK
from condmix.deploy.browser.address import Address as PageAddress
from condmix.deploy.browser.device import BrowserDevice
from condmix.deploy.devices.adb import AdbDevice
from condmix.deploy.devices.address import Kind
from condmix.deploy.devices.device import Device
from condmix.deploy.devices.emulated import EmulatedDevice
from condmix.deploy.devices.fleet import FleetDevice
from condmix.deploy.devices.local import LocalDevice
from condmix.deploy.devices.phone_choices import NOTHING_SAID, PhoneChoices
from condmix.deploy.devices.ssh import ssh_device


def _to_nobody(_name: str, _address: PageAddress) -> None:
    """Whoever runs this alone does not want to open a page."""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """What is said of all devices at once; what a fleet file says of one goes before.

    phones: how they are treated. bind, port: where the page for a browser is served, port 0 for any that is free.
    on_page: is told the name of a browser and the address that it has to open.
    """

    phones: PhoneChoices = NOTHING_SAID
    bind: str = LOOPBACK
    port: int = 0
    on_page: Callable[[str, PageAddress], None] = _to_nobody


DEFAULTS = DeviceOptions()


def open_device(named: FleetDevice, cache: Path, options: DeviceOptions = DEFAULTS) -> Device:
    """The device. cache: of this side, for what is brought to it."""
    address, name = named.address, named.name
    if address.kind is Kind.LOCAL:
        return LocalDevice(name)
    if address.kind is Kind.EMULATED:
        return EmulatedDevice(address, name=name, cache=cache)
    if address.kind is Kind.ADB:
        return AdbDevice(address.serial, name=name, cache=cache, settings=named.phone.over(options.phones).settings())
    if address.kind is Kind.BROWSER:
        return BrowserDevice(
            on_address=lambda page: options.on_page(name, page),
            name=name,
            bind=named.bind or options.bind,
            port=options.port if named.port is None else named.port,
        )
    return ssh_device(
        address,
        name=name,
        cache=cache,
        architecture=named.architecture,
        python=named.python or "python3",
        base=named.folder or "",
    )
