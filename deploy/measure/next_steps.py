"""What to do about a verdict, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport

ADVICE: Mapping[str, str] = {
    "UNVERIFIED": (
        "give --reference FILE.npz, or files that condmix exported beside their NAME.reference.npz, and look at every "
        "disagreement before any time"
    ),
    "TOO_SHORT": "measure longer: --runs 100 or more, --seconds 2 or more, and no --most-seconds",
    "EMULATED": "measure on the device itself, with --device ssh://USER@HOST, adb or browser",
    "THROTTLED": "let the machine cool down or take the quota off, close what else runs, and measure again",
    "NOISY": "close other programs, keep the machine plugged in, and measure again with more --runs",
}


def next_steps(report: BenchReport, *, written: bool) -> tuple[str, ...]:
    """One line for each kind of finding, and how to see all of it when nothing was written."""
    words = dict.fromkeys(finding.verdict.name for finding in report.verdict.findings)
    steps = [f"next: {ADVICE[word]}" for word in words if word in ADVICE]
    if not written:
        steps.append("next: the whole report with pictures and every sample: the same command with -o FOLDER")
    return tuple(steps)
