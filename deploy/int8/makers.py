"""A maker of candidates for each format, ready: inner tensors observed, weights improved where they will be rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from condmix.deploy.calibration_images import CalibrationImages
from condmix.deploy.format_choices import ONNX
from condmix.deploy.int8.calibration import with_inner
from condmix.deploy.int8.candidate import CandidateMaker
from condmix.deploy.int8.onnx_candidate import OnnxMaker
from condmix.deploy.int8.plan import Int8Plan
from condmix.deploy.int8.record import Calibration
from condmix.deploy.int8.tflite_candidate import TfliteMaker
from condmix.deploy.metadata import int8_metadata_of
from condmix.exporters.build import Prepared
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.quantize.improve.improve import ROUNDING_IMAGES, improved
from condmix.exporters.quantize.onnx.any_size import OtherSizes
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.records import RewriteStep
from condmix.models.network import LoadedNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class MadeReady:
    """A maker, the calibration with what was observed for it, and the improvements made for it."""

    maker: CandidateMaker
    options: OnnxInt8Options | TfliteInt8Options
    calibration: Calibration | None
    improvements: tuple[RewriteStep, ...]


def make_ready(
    format_name: str,
    plan: Int8Plan,
    network: LoadedNetwork,
    prepared: Prepared,
    calibration: Calibration | None,
    images: CalibrationImages | None,
    report_progress: Callable[[str], None],
    others: OtherSizes | None = None,
) -> MadeReady:
    """The maker of one format. Raises what its build raises, and CalibrationError."""
    maker: OnnxMaker | TfliteMaker
    ranges = None if calibration is None else calibration.ranges
    method, percentile = plan.flags.method, plan.flags.calib_percentile
    if format_name == ONNX:
        assert plan.onnx is not None
        metadata = int8_metadata_of(network, plan.onnx, "nchw", IR_VERSION)
        maker = OnnxMaker(
            prepared=prepared,
            ranges=ranges,
            options=plan.onnx,
            metadata=metadata,
            others=others,
        )
    else:
        assert plan.tflite is not None
        metadata = int8_metadata_of(network, plan.tflite, plan.tflite.layout, None)
        maker = TfliteMaker(
            prepared=prepared,
            ranges=ranges,
            options=plan.tflite,
            metadata=metadata,
            method=method,
            percentile=percentile,
        )
    if calibration is not None and images is not None:
        calibration = with_inner(calibration, format_name, dict(maker.observe(images, report_progress)))
        maker = replace(maker, ranges=calibration.ranges)
    steps: tuple[RewriteStep, ...] = ()
    if calibration is not None and plan.improvements:
        report_progress(f"improve weights for {format_name}")
        better = prepared.model.clone()
        steps = improved(
            better,
            calibration.ranges,
            plan.improvements,
            _first(images),
            report_progress,
            float_layers=maker.float_paths,
            grid=maker.weight_grid,
        )
        maker = replace(maker, prepared=replace(prepared, model=better), original=prepared)
    return MadeReady(maker=maker, options=maker.options, calibration=calibration, improvements=steps)


def _first(images: CalibrationImages | None) -> np.ndarray:
    """As many as adaptive rounding looks at."""
    if images is None:
        return np.empty((0, 0, 0, 0), np.float32)
    return np.stack([image for image, _ in zip(images, range(ROUNDING_IMAGES), strict=False)])
