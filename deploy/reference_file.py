"""The reference beside an export's files: images that drive the routing apart, and PyTorch's results on them.

With it `condmix bench` feeds real images and says whether the engine, on that very device, computes what PyTorch does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from condmix.deploy.atomic import PendingFiles
from condmix.deploy.metadata import condmix_version
from condmix.exporters.verify.evidence import Evidence
from condmix.exporters.verify.routing import choose
from condmix.runtime.agreement import LEAST_SQNR_DB
from condmix.runtime.bench.reference import Limit, Reference, reference_content
from condmix.runtime.joint_inputs import feeds
from condmix.runtime.output_kind import told_kinds
from condmix.runtime.tolerance import Tolerance

MOST_IMAGES = 8


@dataclass(frozen=True, kw_only=True)
class ReferenceFile:
    """A reference as it lies beside the files of an export."""

    path: Path
    sha256: str
    size_bytes: int
    image_count: int
    yardstick: str = "PyTorch"

    def sentence(self) -> str:
        """One line for a summary."""
        return f"{self.path}  {self.image_count} with {self.yardstick}'s outputs, for condmix bench"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON. The file is named as it lies beside the record."""
        return {
            "path": self.path.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "images": self.image_count,
        }


def furthest_apart(routing: Mapping[str, np.ndarray], available: int) -> list[int]:
    """The places of at most MOST_IMAGES images whose routing lies far from each other, each once.

    routing: rows (available, experts) by block; none for a network without CondConv.
    """
    return list(dict.fromkeys(choose(routing, min(MOST_IMAGES, available), available)))


def float_reference(
    evidence: Evidence, input_names: Sequence[str], tolerances: Mapping[str, Tolerance | None]
) -> Reference | None:
    """The images that float files were verified on, at most MOST_IMAGES, with the results that are there already.

    tolerances: of each file by its name; None for one that is judged by agreement. A file's limit is the largest that
    any of these rows was held to, or the agreement.
    None where PyTorch's results are not finite: no file has passed then.
    """
    double, single = evidence.reference.float64, evidence.reference.float32
    if not all(np.isfinite(rows).all() for rows in double.values()):
        return None
    places = furthest_apart(evidence.routing, len(evidence.images.sources))

    def largest_difference(tolerance: Tolerance) -> float:
        """Limits widen by PyTorch's own error on all images, as they did in the verification."""
        return max(float(tolerance.limits(rows, single[name]).limit[places].max()) for name, rows in double.items())

    return reference_of(
        input_names,
        evidence.images.array_nchw[places],
        {name: rows[places] for name, rows in double.items()},
        yardstick=evidence.oracle.name,
        images_are=f"verification images ({', '.join(evidence.images.sources[place] for place in places)})",
        limits={
            name: Limit(sqnr_db=LEAST_SQNR_DB) if one is None else Limit(max_abs_difference=largest_difference(one))
            for name, one in tolerances.items()
        },
        kinds=evidence.kinds,
    )


def reference_of(
    input_names: Sequence[str],
    images_nchw: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    *,
    images_are: str,
    yardstick: str = "PyTorch",
    limits: Mapping[str, Limit],
    kinds: Mapping[str, str] | None = None,
) -> Reference | None:
    """Images (count, channels, height, width) with PyTorch's float64 results (count, ...) by name, rounded to float32.

    None where a result has no finite float32.
    """
    with np.errstate(over="ignore"):
        rounded = {name: np.asarray(rows, dtype=np.float32) for name, rows in outputs.items()}
    if not all(np.isfinite(rows).all() for rows in rounded.values()):
        return None
    return Reference(
        inputs={name: np.asarray(array, dtype=np.float32) for name, array in feeds(images_nchw, input_names).items()},
        outputs=rounded,
        outputs_are=f"{yardstick} in float64, rounded to float32, on {images_are}; condmix {condmix_version()}",
        limits=limits,
        kinds=told_kinds(kinds or {}),
    )


def write_reference(
    files: PendingFiles, path: Path, reference: Reference | None, *, yardstick: str = "PyTorch"
) -> ReferenceFile | None:
    """The reference lies beside its final name; None where there is nothing to compare with. Raises OutputError."""
    if reference is None:
        return None
    content = reference_content(reference)
    files.write(path, content)
    return ReferenceFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        image_count=reference.images,
        yardstick=yardstick,
    )
