"""What came of one artifact in one line, for the terminal and for the card."""

from __future__ import annotations

import math

from condmix.runtime.bench.samples import Agreement
from condmix.runtime.bundle.artifact_check import ArtifactCheck


def check_line(check: ArtifactCheck, *, name_width: int = 0) -> str:
    """[ok], [failed] or [missing], the file, and the figures that decided.

    What cannot be shown is replaced: an engine quotes the file, which may hold what a terminal obeys.
    """
    line = _line(check, name_width)
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _line(check: ArtifactCheck, name_width: int) -> str:
    name = check.name.ljust(name_width)
    if check.missing is not None:
        return f"[missing] {name}  {check.missing}"
    if check.agreement is None:
        return f"[failed]  {name}  {check.failure or 'it was not run'}"
    mark = "[ok]    " if check.passed else "[failed]"
    agreement = check.agreement
    kept = f"top-1 {top1_text(agreement)}"
    if agreement.top1_agreement is None and agreement.sqnr_db is not None:
        kept = f"SQNR {sqnr_text(agreement)}"
    parts = [f"max|d| {difference_text(agreement)}", kept]
    if agreement.limit is None or not check.passed:
        parts.append(agreement.detail)  # what decided, with its figures
    parts.append(f"{agreement.images} images in {check.engine} {check.engine_version}")
    return f"{mark}  {name}  {', '.join(parts)}"


def difference_text(agreement: Agreement | None) -> str:
    """The largest difference, and the limit where it is that which decides."""
    if agreement is None:
        return "not found"
    found = f"{agreement.max_abs_difference:.1e}" if math.isfinite(agreement.max_abs_difference) else "not finite"
    return found if agreement.limit is None else f"{found}, limit {agreement.limit:.1e}"


def sqnr_text(agreement: Agreement | None) -> str:
    """Signal over difference, of the output where it is least."""
    return "not found" if agreement is None or agreement.sqnr_db is None else f"{agreement.sqnr_db:.1f} dB"


def top1_text(agreement: Agreement | None) -> str:
    """The share of images of which both name the same class."""
    if agreement is None or agreement.top1_agreement is None:
        return "none"
    return f"{agreement.top1_agreement:.0%}" if agreement.top1_agreement == 1 else f"{agreement.top1_agreement:.1%}"
