"""What can go wrong between this computer and a browser."""

from __future__ import annotations

from condmix.deploy.devices.errors import DeviceError

DEVICE = "browser"


class BrowserError(DeviceError):
    """A browser could not measure. step: in which it happened ("serving the page", "waiting for the browser" ...)."""

    def __init__(self, step: str, found: str, next_step: str, *, device: str = DEVICE) -> None:
        super().__init__(device, step, found.rstrip("."), next_step)

    def of(self, device: str) -> BrowserError:
        """The same of the browser that is spoken of by that name."""
        return BrowserError(self.step, self.found, self.next_step, device=device)
