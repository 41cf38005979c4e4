"""What each layer became: its arithmetic, its reason, its products and its bytes."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.build import Prepared
from condmix.exporters.named.condconv import read_condconv
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.quantize.tflite.build import build_int8
from condmix.exporters.quantize.tflite.layer_records import TfliteInt8Layer
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.quantize.tflite.plan import COMPUTED


def records(prepared: Prepared, ranges: Ranges, **choices: object) -> dict[str, TfliteInt8Layer]:
    options = TfliteInt8Options(**choices)  # type: ignore[arg-type]
    made = build_int8(prepared, ranges, options, {}, lambda _stage: None)
    return {layer.path: layer for layer in made.layers}


def test_every_layer_with_weights_in_the_order_of_the_graph(both: Prepared, both_ranges: Ranges) -> None:
    found = records(both, both_ranges)
    assert [(layer.path, layer.kind, layer.arithmetic) for layer in found.values()] == [
        ("stem.0", "Conv", "integer"),
        ("routing.linear", "Gemm", "float"),
        ("cond", "CondConv", "integer"),
        ("depthwise", "CondConv", "mixed"),
        ("expand.0", "Conv", "integer"),
        ("mix", "MixConv", "integer"),
        ("project", "Conv", "integer"),
        ("classifier", "Gemm", "hybrid"),
    ]
    assert COMPUTED in found["depthwise"].why
    assert [path for path, layer in found.items() if layer.is_int8] == [
        "stem.0", "cond", "expand.0", "mix", "project", "classifier"
    ]  # fmt: skip


def test_products_and_bytes(both: Prepared, both_ranges: Ranges) -> None:
    found = records(both, both_ranges)
    (node,) = (node for node in both.model.graph if node.metadata_props.get("condmix.module") == "cond" and node.domain)
    layer = read_condconv(node)
    assert found["cond"].multiply_adds == layer.convolution_multiply_adds + layer.mixing_multiply_adds
    assert found["cond"].int8_multiply_adds == found["cond"].multiply_adds
    # The depthwise layer mixes 3 x 8 x 9 elements in int8, and 3 x 8 bias elements in float.
    assert found["depthwise"].int8_multiply_adds == 3 * 8 * 9
    assert found["depthwise"].multiply_adds > found["depthwise"].int8_multiply_adds
    # One byte a weight of the expansion, four for each bias.
    assert found["expand.0"].weight_bytes == 12 * 8 + 4 * 12
    assert found["cond"].weight_bytes >= layer.experts_eoihw.size


@pytest.mark.parametrize(("mode", "arithmetic"), [("int16", "integer"), ("dynamic", "hybrid"), ("weights", "stored")])
def test_other_modes(both: Prepared, both_ranges: Ranges, mode: str, arithmetic: str) -> None:
    found = records(both, both_ranges, mode=mode)
    assert found["stem.0"].arithmetic == arithmetic
    assert found["stem.0"].is_int8 == (mode != "weights")
    assert (found["stem.0"].int8_multiply_adds > 0) == (mode != "weights")
    assert found["routing.linear"].arithmetic == "float"


def test_as_plain_data(both: Prepared, both_ranges: Ranges) -> None:
    data = records(both, both_ranges)["stem.0"].to_dict()
    assert data["path"] == "stem.0"
    assert data["arithmetic"] == "integer"
    assert all(isinstance(item, (str, int)) for item in data.values())
    assert not any(isinstance(item, np.generic) for item in data.values())


def test_records_of_constructs_have_the_files_bytes(both: Prepared, both_ranges: Ranges) -> None:
    made = build_int8(both, both_ranges, TfliteInt8Options(), {}, lambda _stage: None)
    own = {layer.path: layer for layer in made.layers}
    complete = [record for record in made.shared.layers if record.path in own]
    assert [(record.path, record.form) for record in complete][:3] == [
        ("cond", "im2col"),
        ("depthwise", "depthwise"),
        ("mix", "hoisted"),
    ]
    for record in complete[:3]:
        layer = own[record.path]
        assert (record.why, record.weight_bytes, record.multiply_adds) == (
            layer.why,
            layer.weight_bytes,
            layer.multiply_adds,
        )
