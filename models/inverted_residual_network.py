"""The frame that MobileNetV2, MnasNet, EfficientNet and MixNet have in common."""

from collections.abc import Sequence

from torch import Tensor, nn

from condmix.models.blocks import Activation, Classifier, ConvNormAct, InvertedResidual, InvertedResidualShape
from condmix.models.initialise import initialise
from condmix.models.padding import Padding
from condmix.models.settings import NetworkSettings


class InvertedResidualNetwork(nn.Module):
    """A 3x3 stem with stride 2, inverted residual blocks, a 1x1 head and a classifier.

    Stem and head have the same activation; each block has its own.
    """

    def __init__(
        self,
        shapes: Sequence[InvertedResidualShape],
        head_channels: int,
        settings: NetworkSettings,
        *,
        stem_activation: Activation,
        padding: Padding = "symmetric",
        classifier_experts: int | None = None,
    ) -> None:
        super().__init__()
        self.stem = ConvNormAct(
            settings.in_channels,
            shapes[0].in_channels,
            3,
            settings,
            activation_name=stem_activation,
            stride=2,
            padding=padding,
        )
        self.blocks = nn.Sequential(*(InvertedResidual(shape, settings) for shape in shapes))
        self.head = ConvNormAct(shapes[-1].out_channels, head_channels, 1, settings, activation_name=stem_activation)
        self.classifier = Classifier(head_channels, settings, experts=classifier_experts)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) to class scores (batch, classes)."""
        scores: Tensor = self.classifier(self.head(self.blocks(self.stem(x))))
        return scores
