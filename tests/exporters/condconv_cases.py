"""CondConv layers for tests: random and plain ones, their graphs and what they should give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from condmix.exporters.named.condconv import DOMAIN
from condmix.models.reference import condconv_reference
from tests.exporters.conv_cases import ConvCase, conv_case, conv_cases, seeds
from tests.exporters.sketch import Sketch


@dataclass(frozen=True, kw_only=True)
class CondConvCase:
    """A random CondConv with its numbers, its images and their routing."""

    conv: ConvCase
    experts_eoihw: np.ndarray
    bias_o: np.ndarray
    expert_bias_eo: np.ndarray | None
    images_nchw: np.ndarray
    routing_ne: np.ndarray

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        return {"x": self.images_nchw, "routing": self.routing_ne}

    def one(self, index: int) -> dict[str, np.ndarray]:
        """The feeds of a single image."""
        return {name: array[index : index + 1] for name, array in self.feeds.items()}

    def add_to(self, sketch: Sketch, x: str, routing: str, output: str, *, module: str = "block.conv") -> str:
        """A named CondConv node with these numbers, at batch 1."""
        inputs = [
            x,
            routing,
            sketch.constant(f"{output}.experts", self.experts_eoihw),
            sketch.constant(f"{output}.bias", self.bias_o),
        ]
        operator = "CondConv"
        if self.expert_bias_eo is not None:
            operator = "CondConvExpertBias"
            inputs.append(sketch.constant(f"{output}.expert_bias", self.expert_bias_eo))
        shape = (1, self.conv.out_channels, *self.conv.output_size)
        attributes = dict(self.conv.settings.attributes())
        return sketch.node(operator, inputs, output, module=module, domain=DOMAIN, shape=shape, **attributes)

    def sketch(self) -> Sketch:
        """x and routing to y by the named node."""
        sketch = Sketch()
        sketch.input("x", (1, self.conv.in_channels, *self.conv.input_size))
        sketch.input("routing", (1, self.experts_eoihw.shape[0]))
        self.add_to(sketch, "x", "routing", "y")
        return sketch

    def expected(self) -> np.ndarray:
        """The plain loop over images and experts, float64."""
        top, left, bottom, right = self.conv.settings.pads
        bias = None if self.expert_bias_eo is None else torch.from_numpy(self.expert_bias_eo).double()
        mixed = condconv_reference(
            torch.from_numpy(self.images_nchw).double(),
            torch.from_numpy(self.routing_ne).double(),
            torch.from_numpy(self.experts_eoihw).double(),
            bias,
            stride=self.conv.settings.strides,
            pads=(top, bottom, left, right),
            dilation=self.conv.settings.dilations,
            groups=self.conv.settings.group,
        )
        result: np.ndarray = mixed.numpy() + self.bias_o.astype(np.float64)[:, None, None]
        return result


@st.composite
def condconv_cases(
    draw: st.DrawFn,
    *,
    images: int = 1,
    depthwise: bool | None = None,
    pointwise: bool = False,
    expert_bias: bool | None = None,
) -> CondConvCase:
    """CondConvs of one to five experts whose routings neither sum to one nor stay positive."""
    kernels = (1, 1) if pointwise else (1, 5)
    conv = draw(conv_cases(depthwise=depthwise, kernels=kernels))
    experts = draw(st.integers(1, 5))
    has_expert_bias = draw(st.booleans()) if expert_bias is None else expert_bias
    has_bias = draw(st.booleans())
    generator = np.random.default_rng(draw(seeds))
    channels = conv.out_channels
    bias = generator.standard_normal(channels) if has_bias else np.zeros(channels)
    return CondConvCase(
        conv=conv,
        experts_eoihw=conv.weights(generator, experts),
        bias_o=bias.astype(np.float32),
        expert_bias_eo=generator.standard_normal((experts, channels)).astype(np.float32) if has_expert_bias else None,
        images_nchw=conv.images(generator, images),
        routing_ne=generator.uniform(-0.5, 1.5, (images, experts)).astype(np.float32),
    )


def condconv_case(
    *,
    images: int = 2,
    in_channels: int = 4,
    out_channels: int = 6,
    kernel: tuple[int, int] = (3, 3),
    group: int = 1,
    experts: int = 3,
    expert_bias: bool = False,
    input_size: tuple[int, int] = (7, 5),
    seed: int = 0,
) -> CondConvCase:
    """One plain CondConv with a bias, padded symmetrically."""
    conv = conv_case(
        in_channels=in_channels, out_channels=out_channels, kernel=kernel, group=group, input_size=input_size
    )
    generator = np.random.default_rng(seed)
    bias_eo = generator.standard_normal((experts, out_channels)).astype(np.float32)
    return CondConvCase(
        conv=conv,
        experts_eoihw=conv.weights(generator, experts),
        bias_o=generator.standard_normal(out_channels).astype(np.float32),
        expert_bias_eo=bias_eo if expert_bias else None,
        images_nchw=conv.images(generator, images),
        routing_ne=generator.uniform(-0.5, 1.5, (images, experts)).astype(np.float32),
    )
