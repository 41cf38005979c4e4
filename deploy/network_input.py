"""What has to be known of a network to make its input from a picture: of a checkpoint, or of an exported file."""

from __future__ import annotations

from typing import Protocol

from condmix.models.preprocessing import InputSize, Preprocessing


class NetworkInput(Protocol):
    """`LoadedNetwork` is one; so is what a model file says of itself, for which torch is not needed."""

    @property
    def input_size(self) -> InputSize:
        """Channels, height and width of one image."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to a picture."""
        ...

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """In the order of the scores; None where they are not known."""
        ...
