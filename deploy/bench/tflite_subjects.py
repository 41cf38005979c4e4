"""What is measured as TFLite: the networks, our files of each, and what the files are meant to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.tolerance import Tolerance

CONVERTER = "litert-torch"
FLOAT32 = "float32_tflite"
QUANTIZER = "litert-torch + ai-edge-quantizer"
INT8 = "condmix int8"
CONVERSION_GOAL_SECONDS = 5.0
"""At most this long from the captured graph to the file."""


@dataclass(frozen=True, kw_only=True)
class TfliteForm:
    """One file of a network. options: how our writer writes it; None for one in int8, of whomever.

    time_goal: at most this ratio to the file that `goal_against` names; size_goal: to litert-torch's float file. None
    where nothing was promised.
    """

    options: TfliteOptions | None = field(default_factory=TfliteOptions)
    time_goal: float | None = None
    goal_against: str = CONVERTER
    size_goal: float | None = None

    @property
    def tolerance(self) -> Tolerance | None:
        """What exports are held to; beyond it nothing is measured. None where weights or activations are rounded on
        purpose: how much that moves an untrained network says nothing."""
        if self.options is None or self.options.tolerance_name != FLOAT32:
            return None
        return Tolerance.for_precision(FLOAT32)


@dataclass(frozen=True, kw_only=True)
class TfliteSubject:
    """One network of the zoo.

    forms: name in the table -> how it is written. int8: of our file in int8; None for none of ours nor of others.
    twin: the zoo's name of the same network with ordinary convolutions, where it has one.
    """

    network: str
    forms: Mapping[str, TfliteForm]
    twin: str | None
    int8: TfliteForm | None = None


FLOAT16 = TfliteOptions(precision="float16")
SUBJECTS = (
    TfliteSubject(
        network="mixnet_s",
        forms={"condmix": TfliteForm(time_goal=0.52), "condmix, float16": TfliteForm(options=FLOAT16)},
        twin=None,
        int8=TfliteForm(options=None, time_goal=0.30, goal_against=QUANTIZER),
    ),
    TfliteSubject(
        network="condconv_efficientnet_b0_8e",
        forms={
            "condmix": TfliteForm(time_goal=0.72),
            "condmix, float16": TfliteForm(options=FLOAT16),
            "condmix, int8 experts": TfliteForm(options=TfliteOptions(experts="int8"), time_goal=0.60, size_goal=1 / 3),
        },
        twin="efficientnet_b0",
        int8=TfliteForm(options=None, time_goal=0.58, size_goal=0.28),
    ),
)
