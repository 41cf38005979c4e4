"""What is measured as TFLite: the networks, our files of each, and what the files are meant to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.tolerance import Tolerance

CONVERSION_GOAL_SECONDS = 5.0
"""At most this long from the captured graph to the file."""


@dataclass(frozen=True, kw_only=True)
class TfliteForm:
    """One of our files of a network.

    time_goal, size_goal: at most this ratio to litert-torch's file; None where nothing was promised.
    """

    options: TfliteOptions = field(default_factory=TfliteOptions)
    time_goal: float | None = None
    size_goal: float | None = None

    @property
    def largest_difference(self) -> float:
        """From PyTorch, relative to the largest output: what exports are held to; beyond it nothing is measured."""
        return Tolerance.for_precision(self.options.tolerance_name).relative


@dataclass(frozen=True, kw_only=True)
class TfliteSubject:
    """One network of the zoo.

    forms: name in the table -> how it is written.
    twin: the zoo's name of the same network with ordinary convolutions, where it has one.
    """

    network: str
    forms: Mapping[str, TfliteForm]
    twin: str | None


FLOAT16 = TfliteOptions(precision="float16")
SUBJECTS = (
    TfliteSubject(
        network="mixnet_s",
        forms={"condmix": TfliteForm(time_goal=0.60), "condmix, float16": TfliteForm(options=FLOAT16)},
        twin=None,
    ),
    TfliteSubject(
        network="condconv_efficientnet_b0_8e",
        forms={
            "condmix": TfliteForm(time_goal=0.72),
            "condmix, float16": TfliteForm(options=FLOAT16),
            "condmix, int8 experts": TfliteForm(options=TfliteOptions(experts="int8"), time_goal=0.66, size_goal=1 / 3),
        },
        twin="efficientnet_b0",
    ),
)
