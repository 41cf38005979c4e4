"""The improvements together: in which order, on which layers, and that the whole network gets nearer to float."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import OptionsError
from condmix.exporters.finish import finish
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.improve import adaptive_rounding, correct_bias
from condmix.exporters.quantize.improve.improve import (
    IMPROVEMENTS,
    check_names,
    equalised,
    improved,
    restored,
    routing_layers,
)
from condmix.exporters.quantize.improve.layers import Layer, read_layer
from condmix.exporters.quantize.parameters import Grid
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.verify.tapping import with_outputs
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.graphs import assert_same, run, to_bytes
from tests.exporters.networks import INPUT_SIZE, BothConstructs, settled
from tests.exporters.quantize.improve.rounding import on_grid

COARSE = Grid(low=-7, high=7)


def images(seed: int, count: int) -> np.ndarray:
    """Noise around a level of each image: like photographs, and unlike plain noise, neighbours hang together."""
    generator = np.random.default_rng(seed)
    levels = generator.standard_normal((count, INPUT_SIZE[0], 1, 1))
    return (levels + 0.5 * generator.standard_normal((count, *INPUT_SIZE))).astype(np.float32)


IMAGES, HELD_OUT = images(0, 48), images(1, 40)


@pytest.fixture(scope="module")
def network() -> ir.Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = settled(BothConstructs())
    captured = capture(module, INPUT_SIZE)
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _: None).model


@pytest.fixture(scope="module")
def ranges(network: ir.Model) -> Ranges:
    return calibrated(network)


def layers_of(model: ir.Model) -> dict[str, Layer]:
    """By path."""
    return {layer.path: layer for node in model.graph if (layer := read_layer(node)) is not None}


def calibrated(model: ir.Model) -> Ranges:
    """What bias correction needs: a stand-in for calibration."""
    proto = onnx.load_from_string(to_bytes(model))
    feed = proto.graph.input[0].name
    layers = layers_of(model).values()
    inputs = {layer.x.name or "" for layer in layers}
    routing = {layer.routing.name or "" for layer in layers if layer.routing is not None}
    session = OnnxRuntimeBackend().open(
        with_outputs(proto, sorted((inputs | routing) - {feed})).SerializeToString(), threads=1
    )
    rows = [{**session.run({feed: image[None]}), feed: image[None]} for image in IMAGES]
    means = {
        name: np.mean([row[name].reshape(row[name].shape[1], -1).mean(axis=1) for row in rows], axis=0)
        for name in inputs
    }
    return Ranges(
        method="minmax",
        image_count=len(IMAGES),
        images_sha256="0",
        values={},
        routing={name: np.concatenate([row[name] for row in rows]) for name in routing},
        channel_means=means,
    )


def outputs(model: ir.Model, images: np.ndarray = HELD_OUT) -> np.ndarray:
    session = OnnxRuntimeBackend().open(to_bytes(model), threads=1)
    name = session.signature.inputs[0].name
    return np.concatenate([next(iter(session.run({name: image[None]}).values())) for image in images])


def error(model: ir.Model, exact: ir.Model) -> float:
    """The mean square by which rounded weights move the logits of images that calibration did not see."""
    rounded = on_grid(model, COARSE, left_alone=routing_layers(model))
    return float(((outputs(rounded) - outputs(exact)) ** 2).mean())


def improve(model: ir.Model, ranges: Ranges, *names: str, **choices: frozenset[str]) -> ir.Model:
    copy = model.clone()
    improved(copy, ranges, names, IMAGES, lambda _: None, grid=COARSE, **choices)
    return copy


def test_each_brings_the_network_nearer_to_float(network: ir.Model, ranges: Ranges) -> None:
    plain = error(network, network)
    assert error(improve(network, ranges, "bias"), network) < 0.5 * plain
    assert error(improve(network, ranges, "rounding"), network) < 0.5 * plain
    assert error(improve(network, ranges, "rounding", "bias"), network) < 0.2 * plain


def test_every_layer_but_the_routing_is_improved_and_recorded(network: ir.Model, ranges: Ranges) -> None:
    model, said = network.clone(), list[str]()
    steps = improved(model, ranges, ("bias", "rounding"), IMAGES, said.append)
    paths = set(layers_of(network))
    assert "routing.linear" in paths
    assert {step.path for step in steps if step.applied} == paths - {"routing.linear"}
    assert {step.rule for step in steps} == {"adaptive_rounding"}
    assert said == [f"sampled {len(paths) - 1} of {len(paths) - 1} layers on {len(IMAGES)} images"]
    assert [(value.name, value.shape) for value in model.graph.outputs] == [
        (value.name, value.shape) for value in network.graph.outputs
    ]


def test_the_bias_alone_keeps_weights_and_the_rounding_alone_keeps_biases(network: ir.Model, ranges: Ranges) -> None:
    before = layers_of(network)
    for name, kept, changed in (("bias", "weight_eoihw", "bias_o"), ("rounding", "bias_o", "weight_eoihw")):
        after = layers_of(improve(network, ranges, name))
        for path in set(before) - {"routing.linear"}:
            for old, new in zip(before[path].parts, after[path].parts, strict=True):
                np.testing.assert_array_equal(getattr(old, kept), getattr(new, kept))
                assert not np.array_equal(getattr(old, changed), getattr(new, changed))


def test_nothing_asked_for_is_nothing_done(network: ir.Model, ranges: Ranges) -> None:
    model = network.clone()
    assert improved(model, ranges, (), IMAGES, lambda _: None) == ()
    assert equalised(model, ("bias", "rounding")) == ()
    np.testing.assert_array_equal(outputs(model), outputs(network))


@pytest.mark.parametrize("names", [("bias",), ("rounding",), ("bias", "rounding")])
def test_layers_that_stay_in_float_keep_their_numbers(
    network: ir.Model, ranges: Ranges, names: tuple[str, ...]
) -> None:
    chosen = frozenset({"cond", "mix", "classifier"})
    before, model = layers_of(network), improve(network, ranges, *names, float_layers=chosen)
    after = layers_of(model)
    for path in chosen:
        for old, new in zip(before[path].parts, after[path].parts, strict=True):
            np.testing.assert_array_equal(old.weight_eoihw, new.weight_eoihw)
            np.testing.assert_array_equal(old.bias_o, new.bias_o)
    assert not np.array_equal(outputs(model), outputs(network))
    back = restored(improve(network, ranges, *names), network, chosen)
    np.testing.assert_array_equal(outputs(back), outputs(model))


def test_what_is_marked_leaves_no_trace_in_the_file(network: ir.Model, ranges: Ranges) -> None:
    model = improve(network, ranges, "bias", "rounding")
    marks = {adaptive_rounding.MARK, correct_bias.MARK}
    assert any(marks <= set(node.metadata_props) for node in model.graph)
    proto = finish(model, 18, {})
    assert not any(entry.key in marks for node in proto.graph.node for entry in node.metadata_props)


def test_equalisation_is_exact_and_says_once_what_became_of_each_pair(network: ir.Model) -> None:
    model = network.clone()
    steps = equalised(model, ("equalise",))
    assert len({step.path for step in steps}) == len(steps)
    applied = [step for step in steps if step.applied]
    assert [step.path for step in applied] == ["depthwise", "expand.0", "project", "classifier"]
    feeds = {network.graph.inputs[0].name or "": HELD_OUT[:1]}
    name = network.graph.outputs[0].name or ""
    assert_same(run(network, feeds)[name], run(model, feeds)[name])


def test_the_routing_is_found_behind_its_sigmoid(network: ir.Model) -> None:
    assert routing_layers(network) == {layers_of(network)["routing.linear"].output_name}


def test_an_unknown_improvement_is_named_with_the_choice(network: ir.Model, ranges: Ranges) -> None:
    check_names(IMPROVEMENTS)
    expected = "unknown improvement magic, luck: choose from equalise, bias, rounding"
    with pytest.raises(OptionsError, match=expected):
        improved(network, ranges, ("magic", "bias", "luck"), IMAGES, lambda _: None)
    with pytest.raises(OptionsError, match=expected):
        equalised(network, ("magic", "luck"))
