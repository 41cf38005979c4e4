"""Patches times weights are the layer's output: the samples are what the kernel sees, padding included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from condmix.exporters.quantize.improve import patches
from condmix.exporters.quantize.improve.layers import Layer, read_layer
from condmix.exporters.quantize.improve.patches import patches_at, rows_wanted, samples
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch


@exact_rule
@given(case=condconv_cases())
def test_patches_times_mixed_weights_are_the_output(case: CondConvCase) -> None:
    (node,) = case.sketch().model("y").graph
    layer = read_layer(node)
    assert layer is not None
    (part,) = layer.parts
    height, width = case.conv.output_size
    seen = patches_at(case.images_nchw[0], case.conv.settings, np.arange(height * width), width)
    group = case.conv.settings.group
    assert seen.shape[1:] == (group, int(np.prod(part.weight_eoihw.shape[2:])))
    mixed = np.einsum("e,ego...->go...", case.routing_ne[0].astype(np.float64), part.grouped)
    output = np.einsum("pgk,gok->gop", seen, mixed.reshape(group, -1, seen.shape[2]))
    expert_bias = np.zeros(1) if part.expert_bias_eo is None else case.routing_ne[0].astype(float) @ part.expert_bias_eo
    whole = output.reshape(1, -1, height, width) + (part.bias_o + expert_bias)[:, None, None]
    assert_same(case.expected(), whole)


def network() -> tuple[Sketch, CondConvCase]:
    """image -> CondConv routed by a Gemm on the pooled image -> MixConv -> pooled -> Gemm."""
    case = condconv_case(in_channels=3, out_channels=9, input_size=(9, 8))
    mix = mixconv_case()
    sketch = Sketch()
    sketch.input("image", (1, 3, 9, 8))
    sketch.node("GlobalAveragePool", ["image"], "pooled")
    sketch.node("Flatten", ["pooled"], "flat")
    generator = np.random.default_rng(0)
    names = [
        sketch.constant("routing.w", generator.standard_normal((3, 3)).astype(np.float32)),
        sketch.constant("routing.b", generator.standard_normal(3).astype(np.float32)),
    ]
    sketch.node("Gemm", ["flat", *names], "scores", module="routing", transB=1)
    case.add_to(sketch, "image", sketch.node("Sigmoid", ["scores"], "gates"), "conv")
    mix.add_to(sketch, sketch.node("Relu", ["conv"], "relu"), "mix")
    sketch.node("GlobalAveragePool", ["mix"], "features")
    sketch.node("Flatten", ["features"], "vector")
    weight = sketch.constant("head.w", generator.standard_normal((5, 9)).astype(np.float32))
    sketch.node("Gemm", ["vector", weight], "y", module="head", transB=1)
    return sketch, case


IMAGES = np.random.default_rng(7).standard_normal((4, 3, 9, 8)).astype(np.float32)


def sampled(most_bytes: int = patches.MOST_BYTES) -> tuple[list[str], dict[str, patches.Seen], list[str]]:
    model = network()[0].model("y")
    layers = [layer for node in model.graph if (layer := read_layer(node)) is not None]
    said: list[str] = []
    found: dict[str, patches.Seen] = {}
    sizes = []
    for chunk in samples(model, layers, IMAGES, said.append, most_bytes=most_bytes):
        found.update(chunk)
        sizes.append(",".join(chunk))
    return sizes, found, said


def test_every_layer_is_sampled_on_every_image() -> None:
    chunks, found, said = sampled()
    assert (chunks, said) == (["scores,conv,mix,y"], ["sampled 4 of 4 layers on 4 images"])
    rows = {name: [patch.shape for patch in seen.patches] for name, seen in found.items()}
    count = 4 * 72  # fewer positions than are wanted: all of them
    assert rows == {
        "scores": [(4, 1, 3)],
        "conv": [(count, 1, 27)],
        "mix": [(count, 3, 9), (count, 2, 25), (count, 4, 49)],
        "y": [(4, 1, 9)],
    }
    feeds = [{"image": image[None]} for image in IMAGES]
    gates = np.concatenate([run(network()[0].model("gates"), feed)["gates"] for feed in feeds])
    np.testing.assert_array_equal(found["conv"].routing, np.repeat(gates, 72, axis=0))
    np.testing.assert_array_equal(found["mix"].routing, np.ones((count, 1)))
    means = IMAGES.mean(axis=(2, 3))
    np.testing.assert_allclose(found["scores"].patches[0][:, 0], means, atol=1e-6)


def test_little_memory_means_more_passes_and_the_same_samples() -> None:
    _, at_once, _ = sampled()
    chunks, found, said = sampled(most_bytes=1)
    assert chunks == ["scores", "conv", "mix", "y"]
    assert said[1] == "sampled 2 of 4 layers on 4 images"
    for name, seen in at_once.items():
        for patch, other in zip(seen.patches, found[name].patches, strict=True):
            np.testing.assert_allclose(patch, other, atol=1e-6)


def test_large_maps_are_sampled_here_and_there_and_the_same_way_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "FEWEST_ROWS", 20)
    monkeypatch.setattr(patches, "MOST_ROWS", 40)
    _, found, _ = sampled()
    assert [seen.patches[0].shape[0] for seen in found.values()] == [4, 40, 40, 4]
    _, again, _ = sampled()
    np.testing.assert_array_equal(found["mix"].patches[2], again["mix"].patches[2])


def test_wide_kernels_want_more_samples_within_limits() -> None:
    def wanted(in_channels: int) -> int:
        layer: Layer | None = read_layer(next(iter(condconv_case(in_channels=in_channels).sketch().model("y").graph)))
        assert layer is not None
        return rows_wanted(layer)

    assert [wanted(channels) for channels in (2, 20, 200)] == [512, 720, 4096]
