"""The batch axis of a network to be written: one image, a fixed number of images, or any number."""

from __future__ import annotations

from dataclasses import dataclass

SYMBOL = "batch"


@dataclass(frozen=True, kw_only=True)
class BatchAxis:
    """`size` images at a time; None for any number."""

    size: int | None

    @property
    def is_dynamic(self) -> bool:
        return self.size is None

    @property
    def is_one(self) -> bool:
        return self.size == 1

    @property
    def dimension(self) -> int | str:
        """As a dimension of a shape."""
        return SYMBOL if self.size is None else self.size

    @property
    def target(self) -> int:
        """As an entry of a Reshape target: inferred when free. All other entries must then be numbers."""
        return -1 if self.size is None else self.size

    def times(self, factor: int) -> int:
        """A fixed batch times a factor. Only for fixed batches."""
        assert self.size is not None
        return self.size * factor
