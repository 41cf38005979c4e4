"""The ordinary network around the layers of a style: stem in front, pooling and linear classifier behind."""

from __future__ import annotations

from torch import Tensor, nn


class Trunk(nn.Module):
    """stem conv + BatchNorm + activation, the given blocks, global pooling, classifier with ten outputs.

    Images (batch, 3, height, width) to logits (batch, 10); the stem halves height and width.
    """

    def __init__(self, *blocks: nn.Module, width: int, features: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.SiLU()
        )
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(features, 10)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pool(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(pooled.flatten(1))
        return logits
