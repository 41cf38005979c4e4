"""Variations of training pictures: each picture is turned, scaled, shifted and made noisy a little."""

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional

from condmix.models.errors import SettingsError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The largest change of each kind, drawn evenly between none and that, for each picture on its own.

    `shift` is a share of the side; `scale` 0.1 means from 0.9 to 1.1 times the size; `noise` is the standard
    deviation of what is added to a preprocessed pixel. Raises `SettingsError` with every value out of range.
    """

    rotate_degrees: float = 12.0
    scale: float = 0.12
    shift: float = 0.08
    noise: float = 0.1

    def __post_init__(self) -> None:
        """Numbers within a range where a picture stays what it shows."""
        problems = [
            f"{name} is {value!r}, expected from 0 to {largest}"
            for name, value, largest in (
                ("rotate_degrees", self.rotate_degrees, 180),
                ("scale", self.scale, 0.9),
                ("shift", self.shift, 1),
                ("noise", self.noise, 10),
            )
            if not 0 <= value <= largest
        ]
        if problems:
            place = "augmentation"
            raise SettingsError(place, problems)

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Varied copies of images (batch, channels, height, width); what moves in repeats the edge."""
        batch = images.shape[0]

        def drawn() -> Tensor:
            return torch.rand(batch, generator=generator) * 2 - 1

        angle = drawn() * math.radians(self.rotate_degrees)
        factor = 1 + drawn() * self.scale
        cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
        shift_x, shift_y = drawn() * 2 * self.shift, drawn() * 2 * self.shift
        # affine_grid maps output positions to input positions, both from -1 to 1: hence the inverse factor.
        transform = torch.stack(
            (torch.stack((cosine, -sine, shift_x), 1), torch.stack((sine, cosine, shift_y), 1)), dim=1
        )
        grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
        moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return moved + torch.randn(images.shape, generator=generator) * self.noise
