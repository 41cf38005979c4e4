"""Ranges for an int8 export: from images, with the experts that they never exercised, or from an earlier run's file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from condmix.deploy.calibration_images import CalibrationImages, open_calibration_images
from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.int8.plan import RANGES_SUFFIX, Int8Plan
from condmix.deploy.int8.record import Calibration
from condmix.exporters.build import Prepared
from condmix.exporters.quantize.calibrate import calibrate, float_value_names
from condmix.exporters.quantize.coverage import block_routing, choose_covering, unexercised
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.ranges_file import NetworkFingerprint, from_text, to_text
from condmix.exporters.verify.routing import routing_of
from condmix.models.network import LoadedNetwork

POOL = 4
"""Times the samples: so many images are looked at for their routing, to choose those that cover all experts."""


def calibration_images(
    plan: Int8Plan, network: LoadedNetwork, prepared: Prepared, report_progress: Callable[[str], None]
) -> CalibrationImages | None:
    """The images the plan names, chosen to cover all experts where there are more than are needed.

    Raises ImagesError.
    """
    flags = plan.flags
    if flags.calib is None:
        return None
    wanted = flags.calib_samples
    pool = open_calibration_images(
        flags.calib,
        network,
        samples=POOL * wanted,
        allow_random=flags.allow_random_calibration,
        use_labels=False,
    )
    if len(pool) <= wanted:
        return pool
    experts = bool(prepared.built.routing_values)
    report_progress("choose images that cover all experts" if experts else "choose images")
    captured = prepared.built.stages[0].proto
    routing = routing_of(captured, prepared.built.routing_values, pool)
    chosen = pool.take(choose_covering(routing, wanted, len(pool)))
    covering = " that cover all experts" if routing else ""
    note = f"calibrated on {len(chosen)} images{covering}, chosen from {len(pool)} of {pool.source.name}"
    return replace(chosen, notes=(note,))


def calibrated(
    plan: Int8Plan,
    prepared: Prepared,
    images: CalibrationImages | None,
    report_progress: Callable[[str], None],
) -> Calibration:
    """The ranges of the graph's values. Raises CalibrationError, or UnreadableFileError for a ranges file."""
    flags = plan.flags
    if flags.ranges is not None:
        ranges, source, saved = _from_file(flags.ranges, prepared), flags.ranges.name, None
    else:
        assert images is not None  # the flags were checked
        count = len(images)
        ranges = calibrate(
            prepared,
            images,
            method=flags.method,
            percentile=flags.calib_percentile,
            report_progress=lambda done: report_progress(f"calibrate ({done} of {count})") if done % 10 == 0 else None,
        )
        source, saved = images.source.name, plan.ranges_path
    return Calibration(
        ranges=ranges,
        source=source,
        ranges_path=saved,
        routing=block_routing(ranges),
        unexercised=unexercised(ranges),
    )


def with_inner(calibration: Calibration, format_name: str, observed: dict[str, Range]) -> Calibration:
    """The same with the ranges that only one format has."""
    ranges = calibration.ranges
    inner = {**ranges.inner, format_name: {**ranges.inner.get(format_name, {}), **observed}}
    return replace(calibration, ranges=replace(ranges, inner=inner))


def ranges_text(ranges: Ranges, prepared: Prepared) -> str:
    """The content of the ranges file."""
    return to_text(ranges, _fingerprint(prepared, tuple(ranges.values)))


def _from_file(path: Path, prepared: Prepared) -> Ranges:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        message = f"{path}: ranges cannot be read: {reason}; expected NAME{RANGES_SUFFIX} of an earlier run"
        raise UnreadableFileError(message) from error
    return from_text(text, _fingerprint(prepared, float_value_names(prepared.model.graph)))


def _fingerprint(prepared: Prepared, values: tuple[str, ...]) -> NetworkFingerprint:
    """Of the weights as they are rounded: equalised ones have other ranges than the checkpoint's."""
    digest = hashlib.sha256()
    for name, value in sorted(prepared.model.graph.initializers.items()):
        assert value.const_value is not None
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.const_value.numpy()).tobytes())
    return NetworkFingerprint(source_sha256=digest.hexdigest(), values=values)
