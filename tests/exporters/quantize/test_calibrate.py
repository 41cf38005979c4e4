"""The ranges are those of the network's own values; routing and channel means as well; bad values have a place."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from condmix.exporters.build import Prepared, prepare
from condmix.exporters.capture import Captured
from condmix.exporters.errors import CalibrationError
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import (
    calibrate,
    layer_input_names,
    look,
    ranges_from,
    routing_names,
    select_all,
)
from condmix.exporters.quantize.ranges import Range
from condmix.exporters.quantize.select import METHODS
from condmix.exporters.verify.tapping import recorded
from tests.exporters.networks import INPUT_SIZE, BothConstructs
from tests.exporters.sketch import Sketch


@pytest.fixture(scope="module")
def prepared(captured: Captured) -> Prepared:
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).standard_normal((6, *INPUT_SIZE)).astype(np.float32))


def float_values(model: ir.Model) -> set[str]:
    names = {value.name for value in model.graph.inputs}
    return {*names, *(output.name for node in model.graph for output in node.outputs)}


def test_every_value_has_a_range_the_input_and_the_output_too(prepared: Prepared, images: list[np.ndarray]) -> None:
    before = ir.to_proto(prepared.model).SerializeToString(deterministic=True)
    found = calibrate(prepared, images, method="minmax")
    assert set(found.values) == float_values(prepared.model)
    assert found.values["input"] == Range.around(np.min(images), np.max(images))
    assert (found.method, found.image_count) == ("minmax", 6)
    assert found.images_sha256 == hashlib.sha256(np.stack(images).tobytes()).hexdigest()
    # The graph is left for the lowerings as it was.
    assert ir.to_proto(prepared.model).SerializeToString(deterministic=True) == before


def test_the_numbers_are_those_of_pytorch(prepared: Prepared, images: list[np.ndarray], network: nn.Module) -> None:
    assert isinstance(network, BothConstructs)
    found = calibrate(prepared, images, method="minmax")
    logits, pooled, gates, expanded = [], [], [], []
    for image in images:
        with torch.no_grad(), recorded(network, ["pool", "routing", "expand"]) as seen:
            logits.append(network(torch.from_numpy(image[None])).numpy())
        pooled.append(seen["pool"].reshape(-1))
        gates.append(seen["routing"].reshape(-1))
        expanded.append(seen["expand"][0])
    assert found.values["logits"].low == pytest.approx(min(np.min(logits), 0), abs=1e-5)
    assert found.values["logits"].high == pytest.approx(max(np.max(logits), 0), abs=1e-5)
    (routing,) = found.routing.values()
    np.testing.assert_allclose(routing, gates, atol=1e-6)
    (classifier,) = (
        node
        for node in prepared.model.graph
        if node.name.startswith("classifier/")
        or "classifier.weight" in [value.name for value in node.inputs if value is not None]
    )
    np.testing.assert_allclose(found.channel_means[classifier.inputs[0].name], np.mean(pooled, axis=0), atol=1e-5)
    (mix,) = (node for node in prepared.model.graph if node.op_type.startswith("MixConv"))
    np.testing.assert_allclose(found.channel_means[mix.inputs[0].name], np.mean(expanded, axis=(0, 2, 3)), atol=1e-5)


def test_inputs_of_all_layers_with_weights_have_channel_means(prepared: Prepared, images: list[np.ndarray]) -> None:
    found = calibrate(prepared, images[:2])
    layers = [node for node in prepared.model.graph if "Conv" in node.op_type or node.op_type == "Gemm"]
    assert len(layers) == 8
    assert (
        set(found.channel_means)
        == set(layer_input_names(prepared.model.graph))
        == {node.inputs[0].name for node in layers}
    )
    assert set(found.routing) == set(routing_names(prepared.model.graph))
    assert all(means.dtype == np.float32 for means in found.channel_means.values())


def test_operators_that_bound_their_result_keep_the_bound(prepared: Prepared, images: list[np.ndarray]) -> None:
    found = calibrate(prepared, images)
    kinds = {output.name: node.op_type for node in prepared.model.graph for output in node.outputs}
    sigmoids = [name for name, kind in kinds.items() if kind == "Sigmoid"]
    relus = [name for name, kind in kinds.items() if kind == "Relu"]
    assert sigmoids
    assert relus
    assert all(found.values[name] == Range(low=0.0, high=1.0) for name in sigmoids)
    assert all(found.values[name].low == 0.0 for name in relus)


def test_one_look_serves_every_method(prepared: Prepared, images: list[np.ndarray]) -> None:
    seen = look(prepared.model, images)
    for method in METHODS:
        found = ranges_from(seen, method=method, percentile=99.0)
        again = calibrate(prepared, images, method=method, percentile=99.0)
        assert found.method == ("percentile 99" if method == "percentile" else method)
        assert found.values == again.values
    assert select_all(seen.histograms, "minmax")["input"] == Range.around(np.min(images), np.max(images))


def test_progress_is_told_after_each_image(prepared: Prepared, images: list[np.ndarray]) -> None:
    told: list[int] = []
    calibrate(prepared, iter(images), report_progress=told.append)
    assert told == [1, 2, 3, 4, 5, 6]


def test_a_plain_network_has_no_routing(plain_captured: Captured, images: list[np.ndarray]) -> None:
    plain = prepare(plain_captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)
    assert calibrate(plain, images[:2]).routing == {}


def test_the_first_module_with_nan_is_named_with_its_share_of_images(prepared: Prepared) -> None:
    generator = np.random.default_rng(1)
    sound = generator.standard_normal((2, *INPUT_SIZE)).astype(np.float32)
    # float32 overflows in the first convolution, which adds numbers of both signs.
    huge = np.sign(sound[:1]) * np.float32(3e38)
    with pytest.raises(CalibrationError) as caught:
        calibrate(prepared, [*sound, *huge])
    text = str(caught.value)
    assert text.startswith("calibration met NaN or infinity, first in module 'stem.0' (Conv), value '")
    assert "on 1 of 3 images" in text
    assert text.endswith("and that the images are preprocessed as in its training")


def test_an_image_with_nan_is_named_as_such(prepared: Prepared, images: list[np.ndarray]) -> None:
    spoilt = images[0].copy()
    spoilt[0, 0, :2] = np.nan
    with pytest.raises(CalibrationError, match=r"first in the image itself, value 'input': on 1 of 2 images, 2 NaN in"):
        calibrate(prepared, [spoilt, images[1]])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "calibration was given no images: expected at least one"),
        ([np.zeros((3, 4, 4), np.float32)], r"calibration image 0 has shape \(3, 4, 4\): expected \(3, 9, 8\)"),
        ([np.zeros((1, *INPUT_SIZE), np.float32)], r"has shape \(1, 3, 9, 8\): expected \(3, 9, 8\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(prepared: Prepared, given: list[np.ndarray], text: str) -> None:
    with pytest.raises(CalibrationError, match=text):
        calibrate(prepared, given)


def test_an_unknown_method_is_refused_before_anything_runs(prepared: Prepared) -> None:
    with pytest.raises(CalibrationError, match="the method is 'median': expected one of minmax"):
        calibrate(prepared, (pytest.fail("an image was asked for") for _ in range(1)), method="median")


@pytest.mark.parametrize(("lowest", "behind", "sound"), [(-np.inf, "Softmax", True), (-np.inf, "Exp", False)])
def test_minus_infinity_in_front_of_a_softmax_is_meant(lowest: float, behind: str, sound: bool) -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4))
    sketch.node("Less", ["x", sketch.constant("limit", 0.1)], "hidden")
    sketch.node("Where", ["hidden", sketch.constant("lowest", float(lowest)), "x"], "kept", module="choice")
    sketch.node(behind, ["kept"], "y", module="choice")
    given = [np.asarray([0.5, -1.0, 2.0, 0.0], dtype=np.float32)]
    if sound:
        assert calibrate(sketch.model("y"), given).values["kept"].high == pytest.approx(2.0, rel=0.1)
        return
    with pytest.raises(CalibrationError, match=r"first in module 'choice' \(Where\), value 'kept'"):
        calibrate(sketch.model("y"), given)
