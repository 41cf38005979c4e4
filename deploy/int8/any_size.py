"""An int8 ONNX file for any height and width: its network at other sizes, and its proof there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image

from condmix.deploy.any_size import captures_at, choose_for, size_metadata
from condmix.deploy.int8.finish import THREADS, ProvenFile
from condmix.deploy.int8.float_network import FloatNetwork
from condmix.deploy.loading import Loading
from condmix.deploy.source import Source
from condmix.exporters.build import Prepared, prepare
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.any_size import OtherSizes
from condmix.exporters.sizes.choice import FreeSize, Sides, shown
from condmix.exporters.verify.oracle import Oracle
from condmix.exporters.verify.rounded import RoundedLimits, Way, verify_rounded
from condmix.exporters.verify.rounded_sizes import RoundedSize, RoundedSizes
from condmix.runtime.errors import SessionFailedError

IMAGES = 4
"""Of calibration, enlarged or shrunk to each size: ranges know their kind."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AnySize:
    """The sizes of the file, and its network at those that were captured."""

    sizes: FreeSize
    others: OtherSizes


def open_any_size(
    loading: Loading, source: Source, prepared: Prepared, report_progress: Callable[[str], None]
) -> AnySize:
    """The network at other sizes. Raises NotExportableError when it runs at its own alone, and what a capture does."""
    report_progress("choose sizes")
    sizes = choose_for(source)
    others = [
        prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None).model
        for captured in captures_at(loading, source, sizes, report_progress)
    ]
    return AnySize(
        sizes=sizes,
        others=OtherSizes(
            sides=sizes.captured,
            base=prepared.model.clone(),
            models=tuple(others),
            metadata=size_metadata(sizes),
        ),
    )


def with_sizes(
    file: ProvenFile,
    network: FloatNetwork,
    oracle: Oracle,
    sizes: FreeSize,
    report_progress: Callable[[str], None],
) -> ProvenFile:
    """The file with its proof at every other size: in every way of running, and against the network itself."""
    cases = tuple(_case(file, network, oracle, sides, report_progress) for sides in sizes.proven[1:])
    proven = RoundedSizes(sizes=sizes, cases=cases)
    return dataclasses.replace(file, verification=dataclasses.replace(file.verification, sizes=proven))


def _case(
    file: ProvenFile,
    network: FloatNetwork,
    oracle: Oracle,
    sides: Sides,
    report_progress: Callable[[str], None],
) -> RoundedSize:
    report_progress(f"verify int8 at {shown(sides)}")
    images_nchw = resized(network.judged_nchw[:IMAGES], sides)
    candidate = file.candidate
    try:
        verification = verify_rounded(
            candidate.run_plain(),
            [Way(name=f"on {threads} of the CPU's threads", run=candidate.run_fast(threads)) for threads in THREADS],
            images_nchw,
            oracle.float64(images_nchw, list(network.outputs)),
            input_step=network.input_step,
            output_steps=network.output_steps,
            limits=RoundedLimits(),
            kinds=network.kinds,
        )
    except SessionFailedError as error:
        return RoundedSize(sides=sides, verification=None, failure=str(error))
    return RoundedSize(sides=sides, verification=verification)


def resized(images_nchw: np.ndarray, sides: Sides) -> np.ndarray:
    """Images of the same content at another height and width."""
    height, width = sides
    planes = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
        for image in images_nchw
        for plane in image
    ]
    return np.stack(planes).reshape(*images_nchw.shape[:2], height, width)
