"""int8 files against the graph they come from: every mode, batch, layout and end, delegate on and off."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.errors import CalibrationError, OptionsError
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.build import TfliteInt8Build, build_int8
from condmix.exporters.quantize.tflite.options import INT8_MODES, TfliteInt8Options
from condmix.exporters.tflite.build import build_tflite_prepared
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import run
from tests.exporters.quantize.tflite.calibrated import Feeds, built, outputs, prepared_of, quality_db
from tests.exporters.tflite.running import open_file, read_back


def write(prepared: Prepared, ranges: Ranges | None, **choices: object) -> TfliteInt8Build:
    options = TfliteInt8Options(**choices)  # type: ignore[arg-type]
    return build_int8(prepared, ranges, options, {"architecture": "both"}, lambda _stage: None)


def logits(prepared: Prepared, feeds: Feeds) -> np.ndarray:
    """In float32, by ONNX Runtime."""
    rows = [run(prepared.model.clone(), {k: v[i : i + 1] for k, v in feeds.items()}) for i in range(8)]
    return np.concatenate([next(iter(row.values())) for row in rows])


@pytest.mark.parametrize(("mode", "least_db"), [("full", 24), ("int16", 30), ("dynamic", 26), ("weights", 30)])
@pytest.mark.parametrize("delegate", [True, False])
def test_every_mode_computes_the_network(
    both: Prepared, both_ranges: Ranges, both_images: Feeds, mode: str, least_db: float, delegate: bool
) -> None:
    made = write(both, both_ranges, mode=mode)
    actual = outputs(made.content, both_images, delegate=delegate)["logits"]
    assert quality_db(logits(both, both_images), actual) > least_db


def test_a_wrong_file_would_be_seen(both: Prepared, both_ranges: Ranges, both_images: Feeds) -> None:
    actual = outputs(write(both, both_ranges).content, both_images)["logits"]
    # The same logits with images exchanged: what is asked of every mode is far more.
    assert quality_db(logits(both, both_images)[::-1], actual) < 12


def test_layers_that_stay_in_float(both: Prepared, both_ranges: Ranges, both_images: Feeds) -> None:
    every = frozenset(node.metadata_props.get("condmix.module", "") for node in both.model.graph)
    made = write(both, both_ranges, float_layers=every)
    assert quality_db(logits(both, both_images), outputs(made.content, both_images)["logits"]) > 100
    assert {layer.arithmetic for layer in made.layers} == {"float"}
    some = write(both, both_ranges, float_layers=frozenset({"cond", "stem.0"}))
    assert [layer.path for layer in some.layers if layer.why == "asked to stay in float"] == ["stem.0", "cond"]
    weight_bytes = [sum(layer.weight_bytes for layer in item.layers) for item in (made, some, write(both, both_ranges))]
    assert weight_bytes == sorted(weight_bytes, reverse=True)
    assert len(set(weight_bytes)) == 3


def test_a_layer_that_there_is_not_is_refused(both: Prepared, both_ranges: Ranges) -> None:
    with pytest.raises(OptionsError) as refusal:
        write(both, both_ranges, float_layers=frozenset({"stem.0", "steam", "blok"}))
    assert str(refusal.value) == "float_layers names blok, steam: the network has no such module"


def test_integers_need_ranges(both: Prepared, both_ranges: Ranges) -> None:
    for mode in ("full", "int16"):
        with pytest.raises(OptionsError, match=f"mode {mode} stores activations as integers: calibrate first"):
            write(both, None, mode=mode)
    for mode in ("dynamic", "weights"):
        assert write(both, None, mode=mode).content == write(both, both_ranges, mode=mode).content
    with pytest.raises(CalibrationError, match="no range is known"):
        write(both, dataclasses.replace(both_ranges, inner={}))


@pytest.mark.parametrize("mode", INT8_MODES)
def test_a_batch(both: Prepared, both_ranges: Ranges, both_images: Feeds, mode: str) -> None:
    made = write(both, both_ranges, mode=mode, batch=4)
    ((name, images),) = both_images.items()
    session = open_file(made.content)
    (four,) = session.run({name: np.ascontiguousarray(images[:4].transpose(0, 2, 3, 1))}).values()
    assert quality_db(logits(both, both_images)[:4], four) > 24
    one = write(both, both_ranges, mode=mode)
    assert [layer.multiply_adds for layer in made.layers] == [layer.multiply_adds for layer in one.layers]
    assert [layer.arithmetic for layer in made.layers] == [layer.arithmetic for layer in one.layers]


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_int8_ends(both: Prepared, both_ranges: Ranges, layout: str) -> None:
    made = write(both, both_ranges, io_dtype="int8", layout=layout)
    session = open_file(made.content)
    (source,), (result,) = session.signature.inputs, session.signature.outputs
    assert (str(source.dtype), str(result.dtype)) == ("int8", "int8")
    assert source.shape == ((1, 9, 8, 3) if layout == "nhwc" else (1, 3, 9, 8))
    assert result.shape == (1, 5)
    assert coverage(session).delegated > 0


def test_channels_first_and_float_ends(both: Prepared, both_ranges: Ranges, both_images: Feeds) -> None:
    made = write(both, both_ranges, layout="nchw")
    assert made.layout == "nchw"
    ((name, images),) = both_images.items()
    session = open_file(made.content)
    actual = np.concatenate([next(iter(session.run({name: images[i : i + 1]}).values())) for i in range(8)])
    np.testing.assert_array_equal(actual, outputs(write(both, both_ranges).content, both_images)["logits"])


def test_values_are_found_and_metadata_and_signature_stay(both: Prepared, both_ranges: Ranges) -> None:
    made = write(both, both_ranges)
    model = read_back(made.content)
    names = {tensor.name.decode() for tensor in model.subgraphs[0].tensors}
    assert set(made.tensor_of_value.values()) <= names
    (entry,) = model.metadata
    assert json.loads(bytes(model.buffers[entry.buffer].data)) == {"architecture": "both"}
    assert model.description == b"both"
    assert [item.name for item in open_file(made.content).signature.outputs] == ["logits"]


def test_equal_choices_give_equal_bytes_and_the_graph_is_left_alone(both: Prepared, both_ranges: Ranges) -> None:
    before = build_tflite_prepared(both, TfliteOptions(), {}, lambda _stage: None).content
    assert write(both, both_ranges).content == write(both, both_ranges).content
    assert build_tflite_prepared(both, TfliteOptions(), {}, lambda _stage: None).content == before


def test_progress_names_the_stage(both: Prepared, both_ranges: Ranges) -> None:
    seen: list[str] = []
    build_int8(both, both_ranges, TfliteInt8Options(), {}, seen.append)
    assert seen == ["write int8 TFLite"]


def test_only_the_computed_depthwise_kernel_leaves_the_delegate(both: Prepared, both_ranges: Ranges) -> None:
    for mode in ("full", "dynamic", "weights"):
        found = coverage(open_file(write(both, both_ranges, mode=mode).content))
        assert dict(found.not_delegated) == {"DEPTHWISE_CONV_2D": 1}, mode


def test_size_of_a_layer_with_many_weights() -> None:
    case = condconv_case(in_channels=64, out_channels=64, kernel=(3, 3), experts=4, images=4)
    model = case.sketch().model("y")
    whole = len(build_tflite_prepared(prepared_of(model), TfliteOptions(), {}, lambda _stage: None).content)
    for mode in INT8_MODES:
        assert len(built(model, case.feeds, mode=mode).content) < 0.28 * whole
