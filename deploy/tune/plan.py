"""How an export is to be tuned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from condmix.deploy.devices.fleet import FleetDevice

DEFAULT_SECONDS = 150.0


@dataclass(frozen=True, kw_only=True)
class TunePlan:
    """device: where candidates are measured. cache: of measurements. seconds: after which nothing new is begun."""

    device: FleetDevice
    cache: Path
    threads: int = 1
    seconds: float = DEFAULT_SECONDS
