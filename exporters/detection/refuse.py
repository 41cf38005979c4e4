"""The refusals of a tail: behind a network that does not say its anchors, or says others than it has."""

from __future__ import annotations

from condmix.exporters.errors import NotExportableError


def not_a_detector(name: str) -> NotExportableError:
    """The error for decoding asked of a network without known anchors."""
    summary = f"{name} is no detector whose anchors are known: nothing can be decoded;"
    remedy = (
        "use --detections raw (or leave it out) for its outputs as they are, or give the network a method "
        "anchors(height, width) and the heads that docs/detection.md describes"
    )
    return NotExportableError(summary, (remedy,))


def anchors_do_not_fit(name: str, problem: str) -> NotExportableError:
    """The error for decoding asked of a network whose anchors are not those of its outputs."""
    summary = f"the anchors of {name} do not fit its outputs, so nothing can be decoded;"
    return NotExportableError(
        summary, (f"{problem}; docs/detection.md describes both, --detections raw needs neither",)
    )
