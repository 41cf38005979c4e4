"""What is measured as TFLite: the networks, our files of each, and what the files are meant to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from condmix.exporters.tflite.options import TfliteOptions

CONVERSION_GOAL_SECONDS = 5.0
"""At most this long from the captured graph to the file."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a file has to reach.

    largest_difference: from PyTorch, relative to the largest output; beyond it the file is not measured at all.
    time_goal, size_goal: at most this ratio to litert-torch's file; None where nothing was promised.
    """

    largest_difference: float = 1e-4
    time_goal: float | None = None
    size_goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class TfliteForm:
    """One of our files of a network."""

    options: TfliteOptions = field(default_factory=TfliteOptions)
    expected: Expected = field(default_factory=Expected)


@dataclass(frozen=True, kw_only=True)
class TfliteSubject:
    """One network of the zoo.

    forms: name in the table -> how it is written.
    twin: the zoo's name of the same network with ordinary convolutions, where it has one.
    """

    network: str
    forms: Mapping[str, TfliteForm]
    twin: str | None


SUBJECTS = (
    TfliteSubject(
        network="mixnet_s",
        forms={"condmix": TfliteForm(expected=Expected(time_goal=0.60))},
        twin=None,
    ),
    TfliteSubject(
        network="condconv_efficientnet_b0_8e",
        forms={
            "condmix": TfliteForm(expected=Expected(time_goal=0.72)),
            "condmix, float16 experts": TfliteForm(
                options=TfliteOptions(experts="float16"), expected=Expected(largest_difference=1e-2)
            ),
            "condmix, int8 experts": TfliteForm(
                options=TfliteOptions(experts="int8"),
                expected=Expected(largest_difference=1e-1, time_goal=0.66, size_goal=1 / 3),
            ),
        },
        twin="efficientnet_b0",
    ),
)
