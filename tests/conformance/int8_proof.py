"""One case in int8, in both formats: whether each file computes what its own numbers say, in quantisation steps.

How accurate int8 is cannot be asked of these networks: they are untrained, and many turn a single step into another
kernel. That is measured on trained ones (docs/int8.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from condmix.deploy.format_choices import ONNX, TFLITE
from condmix.deploy.int8.candidate import CandidateMaker
from condmix.deploy.int8.finish import ProvenFile, proven
from condmix.deploy.int8.float_network import run_float
from condmix.deploy.int8.onnx_candidate import OnnxMaker
from condmix.deploy.int8.tflite_candidate import TfliteMaker
from condmix.exporters.build import Prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.verify.images import candidate_images
from condmix.exporters.verify.rounded import RoundedLimits
from tests.conformance.case import ConformanceCase

JUDGED_BY_MEANING = RoundedLimits(least_sqnr_db=-1e9)


@dataclass(frozen=True, kw_only=True)
class Int8Proof:
    """The int8 files of a case by format."""

    files: dict[str, ProvenFile]

    def faults(self) -> list[str]:
        """What is wrong: a file that does not compute what it says, or in which nothing is int8."""
        found = []
        for name, file in self.files.items():
            found += [f"{name}: {problem}" for problem in file.verification.problems()]
            if not any(_is_int8(layer.to_dict()) for layer in file.candidate.layers):
                found.append(f"{name}: no layer is int8")
        return found


def prove_int8(case: ConformanceCase) -> Int8Proof:
    """Calibrate the case on the verifier's own pool of images, and build and run both files."""
    prepared = prepare(
        capture(case.build(), case.input_size), ExportOptions(stage="rewritten"), {}, lambda _stage: None
    )
    return prove_prepared(prepared, candidate_images(case.input_size).array_nchw)


def prove_prepared(prepared: Prepared, images: np.ndarray) -> Int8Proof:
    """The same of a graph that is ready, on these images."""
    ranges = calibrate(prepared, images)
    network = run_float(prepared, images[::3], None, None)
    onnx = OnnxMaker(prepared=prepared, ranges=ranges, options=OnnxInt8Options(), metadata={})
    tflite = TfliteMaker(
        prepared=prepared, ranges=ranges, options=TfliteInt8Options(), metadata={}, method="mse", percentile=99.99
    )
    inner = dict(tflite.observe(images, lambda _text: None))
    tflite = replace(tflite, ranges=replace(ranges, inner={TFLITE: inner}))
    makers: dict[str, CandidateMaker] = {ONNX: onnx, TFLITE: tflite}
    return Int8Proof(
        files={
            name: proven(maker, network, max_drop=None, limits=JUDGED_BY_MEANING, report_progress=lambda _text: None)
            for name, maker in makers.items()
        }
    )


def _is_int8(layer: dict[str, object]) -> bool:
    return layer.get("int8") is True or layer.get("arithmetic") in ("integer", "hybrid", "mixed")


def own_steps(proof: Int8Proof) -> float:
    """The largest that a few differently rounded pixels move any output, in steps: how much the network amplifies."""
    return float(np.max([check.own_steps for file in proof.files.values() for check in file.verification.meaning]))
