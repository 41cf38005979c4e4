"""A second opinion on a TFLite file: the older tflite-runtime, beside LiteRT, on the same images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from condmix.exporters.verify.verify import run_in_batches
from condmix.runtime.errors import EnvironmentMissingError, ModelUnreadableError, SessionFailedError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.parity import compare
from condmix.runtime.parity_report import ParityReport, json_number
from condmix.runtime.tflite_environment import ENGINE
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend
from condmix.runtime.tolerance import Tolerance

PREPARE_LINE = f"condmix doctor --prepare {ENGINE}"


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """What the older runtime makes of a file. compatible: None when it was not asked.

    said: the finding, or why it was not asked. largest_difference: from LiteRT, as a share of the largest output.
    """

    compatible: bool | None
    said: str
    version: str | None = None
    largest_difference: float | None = None
    limit: float | None = None

    def sentence(self) -> str:
        """The verdict in plain words."""
        engine = ENGINE if self.version is None else f"{ENGINE} {self.version}"
        if self.compatible is None:
            return f"{engine}: not checked: {self.said}"
        if self.compatible:
            return f"{engine}: compatible: {self.said}"
        return f"{engine}: INCOMPATIBLE, do not run this file there: {self.said}"

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        difference = self.largest_difference
        return {
            "engine": ENGINE,
            "version": self.version,
            "compatible": self.compatible,
            "said": self.said,
            "largest_difference": None if difference is None else json_number(difference),
            "limit": None if self.limit is None else json_number(self.limit),
        }


def tolerance_met(tolerance: Tolerance, final: ParityReport) -> Tolerance:
    """The tolerance as the file was held to it: where PyTorch's own error widened the limit, it is wider here too."""
    own = max((output.own_relative or 0.0 for output in final.outputs), default=0.0)
    return replace(tolerance, relative=max(tolerance.relative, tolerance.own_error_multiple * own))


def second_opinion(
    content: bytes, images: np.ndarray, *, batch: int, tolerance: Tolerance, site: Path
) -> SecondOpinion:
    """What tflite-runtime in `site` computes of the images, compared with LiteRT, delegate on and off.

    images: as the file takes them. tolerance: what the file was held to.
    Raises the errors of LiteRT.
    """
    if not site.is_dir():
        return SecondOpinion(compatible=None, said=f"it is not prepared on this machine; {PREPARE_LINE} does that")
    order = [*range(len(images)), *reversed(range(len(images)))]
    litert, older = LiteRtBackend(), TfliteRuntimeBackend(site)
    expected = {
        delegate: run_in_batches(litert.open(content, threads=1, delegate=delegate), images[order], batch)
        for delegate in (True, False)
    }
    opinions = []
    try:
        for delegate, rows in expected.items():
            with older.open(content, threads=1, delegate=delegate) as session:
                actual = run_in_batches(session, images[order], batch)
                opinions.append(_compared(rows, actual, session.versions[ENGINE], tolerance))
    except EnvironmentMissingError as error:
        return SecondOpinion(compatible=None, said=str(error))
    except (ModelUnreadableError, SessionFailedError) as error:
        return SecondOpinion(compatible=False, said=str(error))
    return max(opinions, key=_badness)


def _badness(opinion: SecondOpinion) -> tuple[bool, float]:
    """What could not be measured, such as a NaN, is worse than any number."""
    difference = opinion.largest_difference
    return not opinion.compatible, math.inf if difference is None else difference


def _compared(
    expected: dict[str, np.ndarray], actual: dict[str, np.ndarray], version: str, tolerance: Tolerance
) -> SecondOpinion:
    report = compare(
        {name: np.asarray(rows, dtype=np.float64) for name, rows in expected.items()},
        actual,
        tolerance=tolerance,
        own_float32=None,
        context={},
    )
    worst = report.worst_output
    element = None if worst is None else worst.worst
    return SecondOpinion(
        compatible=report.passed,
        said=f"against LiteRT {report.sentence()}",
        version=version,
        largest_difference=None if element is None else element.relative,
        limit=None if element is None else element.limit_relative,
    )
