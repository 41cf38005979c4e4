"""The meaning of --input-size: H, HxW or CxHxW, where what is left out is the network's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZE = re.compile(r"(?:(?:(\d+)[x,])?(\d+)[x,])?(\d+)")
LARGEST_SIDE = 65_536


@dataclass(frozen=True, kw_only=True)
class RequestedSize:
    """The size of one input; `channels` None are those of the network."""

    channels: int | None
    height: int
    width: int

    def __str__(self) -> str:
        """As it is typed."""
        sides = f"{self.height}x{self.width}"
        return sides if self.channels is None else f"{self.channels}x{sides}"

    @property
    def complete(self) -> tuple[int, int, int] | None:
        """Channels, height and width; None while the channels are not known."""
        return None if self.channels is None else (self.channels, self.height, self.width)

    def for_channels(self, channels: int) -> tuple[int, int, int]:
        """Channels, height and width for a network of that many channels."""
        return channels, self.height, self.width


def parse_input_size(text: str) -> RequestedSize:
    """The size that the text means. Raises ValueError with what was expected."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is not a size: expected H, HxW or CxHxW, such as 224, 160x224 or 3x224x224"
        raise ValueError(message)
    channels, height, width = (None if part is None else int(part) for part in found.groups())
    assert width is not None
    size = RequestedSize(channels=channels, height=width if height is None else height, width=width)
    wrong = [
        side for side in (size.channels, size.height, size.width) if side is not None and not 0 < side <= LARGEST_SIDE
    ]
    if wrong:
        message = f"{text!r} has a side of {wrong[0]}: expected 1 to {LARGEST_SIDE}"
        raise ValueError(message)
    return size
