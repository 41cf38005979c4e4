"""What somebody said of how a phone is treated, by flags for all phones or in a fleet file for one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from condmix.deploy.devices.phone_conditions import PhoneSettings

FLAGS = {
    "cores": "--cores",
    "cool_to": "--cool-to",
    "cool_seconds": "--cool-seconds",
    "fixed_performance": "--no-fixed-performance",
}


@dataclass(frozen=True, kw_only=True)
class PhoneChoices:
    """None where nothing was said. Raises InvalidSettingError for what no phone can be told."""

    cores: str | None = None
    cool_to: float | None = None
    cool_seconds: float | None = None
    fixed_performance: bool | None = None

    def __post_init__(self) -> None:
        self.settings()

    @property
    def flags(self) -> tuple[str, ...]:
        """Those that were given, in the words of the command line."""
        return tuple(flag for name, flag in FLAGS.items() if getattr(self, name) is not None)

    def settings(self) -> PhoneSettings:
        """What was said, and the defaults for the rest."""
        default = PhoneSettings()
        return PhoneSettings(
            cores=default.cores if self.cores is None else self.cores,
            target_celsius=default.target_celsius if self.cool_to is None else self.cool_to,
            most_cooling_seconds=default.most_cooling_seconds if self.cool_seconds is None else self.cool_seconds,
            fixed_performance=default.fixed_performance if self.fixed_performance is None else self.fixed_performance,
        )

    def over(self, others: PhoneChoices) -> PhoneChoices:
        """These, and where they say nothing, what `others` say."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        return dataclasses.replace(others, **said)


NOTHING_SAID = PhoneChoices()
