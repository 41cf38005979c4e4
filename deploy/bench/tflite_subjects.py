"""What is measured as TFLite: the networks, our files of each, and what the files are meant to reach."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from condmix.exporters.capture import Captured, capture
from condmix.exporters.tflite.build import build_tflite
from condmix.exporters.tflite.options import TfliteOptions

FLOAT32_DIFFERENCE = 1e-4
"""Of the largest output: what a file with float32 weights may differ from PyTorch by."""


@dataclass(frozen=True, kw_only=True)
class TfliteForm:
    """One of our files of a network.

    largest_difference: from PyTorch, relative to the largest output; beyond it the file is not measured.
    time_goal, size_goal: at most this ratio to litert-torch's file; None where nothing was promised.
    """

    options: TfliteOptions
    largest_difference: float = FLOAT32_DIFFERENCE
    time_goal: float | None = None
    size_goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class TfliteSubject:
    """One network of the zoo. twin: the zoo's name of the same network with ordinary convolutions, if it has one."""

    network: str
    forms: Mapping[str, TfliteForm]
    twin: str | None


SUBJECTS = (
    TfliteSubject(
        network="mixnet_s",
        forms={"condmix": TfliteForm(options=TfliteOptions(), time_goal=0.60)},
        twin=None,
    ),
    TfliteSubject(
        network="condconv_efficientnet_b0_8e",
        forms={
            "condmix": TfliteForm(options=TfliteOptions(), time_goal=0.72),
            "condmix, float16 experts": TfliteForm(options=TfliteOptions(experts="float16"), largest_difference=1e-2),
            "condmix, int8 experts": TfliteForm(
                options=TfliteOptions(experts="int8"), largest_difference=1e-1, time_goal=0.66, size_goal=1 / 3
            ),
        },
        twin="efficientnet_b0",
    ),
)
CONVERSION_GOAL_SECONDS = 5.0


def captured_timed(module: nn.Module, size: int) -> tuple[Captured, float]:
    """The network's graph and the CPU seconds of capturing it with torch."""
    start = time.process_time()
    captured = capture(module, (3, size, size))
    return captured, time.process_time() - start


def written_timed(captured: Captured, options: TfliteOptions) -> tuple[bytes, float]:
    """The file of a captured graph and the CPU seconds of rewriting, lowering and writing it."""
    start = time.process_time()
    built = build_tflite(captured, options, {}, lambda _stage: None)
    return built.content, time.process_time() - start
