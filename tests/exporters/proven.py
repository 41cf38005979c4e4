"""What tests of the readers ask of a file: that it is proven in float32, against whatever the source is."""

from __future__ import annotations

from condmix.exporters.build import Build
from condmix.exporters.onnx_input.read import OnnxSource
from condmix.exporters.program.read import ProgramSource
from condmix.exporters.tflite.build import build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import gather
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import verify_tflite
from condmix.exporters.verify.verify import verify
from condmix.runtime.tolerance import Tolerance


def silent(_: str) -> None:
    """Nobody watches a test."""


def onnx_proof(built: Build, source: OnnxSource | ProgramSource, batch: int | None) -> Verification:
    """The build beside its source, on images of its own choice."""
    return verify(
        built,
        source.oracle,
        source.input_size,
        batch=batch,
        tolerance=Tolerance.for_precision("float32"),
        images=None,
        report_progress=silent,
    )


def tflite_proof(source: OnnxSource | ProgramSource) -> Verification:
    """A TFLite file of the source for one image, beside it."""
    built = build_tflite(source.captured, TfliteOptions(), {}, silent)
    return verify_tflite(
        built,
        gather(built.shared, source.oracle, source.input_size, batch=1, images=None, report_progress=silent),
        batch=1,
        tolerance=Tolerance.for_precision("float32_tflite"),
        shared_tolerance=Tolerance.for_precision("float32"),
        report_progress=silent,
    )
