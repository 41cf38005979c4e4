"""Our full-int8 TFLite file of a network, calibrated on the verifier's images, for the benchmark."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import nn

from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate, select_all
from condmix.exporters.quantize.observe import observe
from condmix.exporters.quantize.select import DEFAULT_METHOD
from condmix.exporters.quantize.tflite.build import build_int8
from condmix.exporters.quantize.tflite.observation import observation
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.verify.images import candidate_images


def int8_tflite(module: nn.Module, size: int) -> tuple[bytes, float]:
    """The file with int8 weights and activations, float32 at its ends, and the CPU seconds from calibration to it.

    Weights are rounded to nearest: how they are rounded does not change the speed.
    """
    prepared = prepare(capture(module, (3, size, size)), ExportOptions(stage="rewritten"), {}, _silent)
    images = candidate_images((3, size, size)).array_nchw
    start = time.process_time()
    ranges = calibrate(prepared, images)
    options = TfliteInt8Options()
    wanted = observation(prepared, options)
    if wanted.names:
        seen = select_all(observe(wanted.run(), images), DEFAULT_METHOD)
        ranges = replace(ranges, inner={**ranges.inner, "tflite": seen})
    content = build_int8(prepared, ranges, options, {}, _silent).content
    return content, time.process_time() - start


def _silent(_stage: str) -> None:
    """Nobody is watching."""
