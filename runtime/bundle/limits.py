"""How large a bundle may be: what bounds the time, memory and disk that a hostile one can take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from condmix.runtime.errors import InvalidSettingError

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class BundleLimits:
    """Sizes are of unpacked content in bytes.

    members: beside the manifest.
    ratio: unpacked over packed size of one member, which counts only above `ratio_counts_above`: ordinary text may
    shrink a lot, and little can come of little. Weights shrink by a tenth.
    reference_bytes: of all arrays of one reference together.
    """

    members: int = 64
    manifest_bytes: int = MEBIBYTE // 4
    member_bytes: int = 1024 * MEBIBYTE
    total_bytes: int = 2048 * MEBIBYTE
    ratio: int = 200
    ratio_counts_above: int = MEBIBYTE
    reference_bytes: int = 512 * MEBIBYTE

    def __post_init__(self) -> None:
        problems = [
            f"{one.name} must be at least 1, found {getattr(self, one.name)}"
            for one in fields(self)
            if getattr(self, one.name) < 1
        ]
        if self.total_bytes < self.member_bytes:
            problems.append(f"total_bytes {self.total_bytes} is below member_bytes {self.member_bytes}")
        if problems:
            raise InvalidSettingError(problems, record="BundleLimits")


LIMITS = BundleLimits()
