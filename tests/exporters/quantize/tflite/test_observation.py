"""The float twin shows the tensors that calibration of the graph cannot see, under the int8 file's names."""

from __future__ import annotations

import numpy as np

from condmix.exporters.build import Prepared
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.tflite.build import build_int8
from condmix.exporters.quantize.tflite.observation import float_twin, observation
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.tflite.mixing import HYBRID_VERSION
from tests.exporters.graphs import run
from tests.exporters.quantize.tflite.calibrated import Feeds
from tests.exporters.tflite.running import assert_file_gives, read_back


def test_the_twin_computes_the_network_in_float(both: Prepared, both_images: Feeds) -> None:
    feeds = {name: array[:1] for name, array in both_images.items()}
    assert_file_gives(observation(both, TfliteInt8Options()).content, feeds, run(both.model.clone(), feeds))
    model = float_twin(both, batch=1, layout="nhwc", metadata={}).model
    assert all(item.version < HYBRID_VERSION for item in model.operations)


def test_what_it_shows_is_what_the_build_misses(both: Prepared, both_images: Feeds, both_ranges: Ranges) -> None:
    asked = observation(both, TfliteInt8Options())
    (images,) = both_images.values()
    call = asked.run()
    seen: dict[str, Range] = {}
    for image in images:
        shown = call(image)
        assert tuple(shown) == asked.names
        for name, array in shown.items():
            own = Range.around(array.min(), array.max())
            seen[name] = own.joined(seen.get(name, own))
    assert {name: both_ranges.inner["tflite"][name] for name in asked.names} == seen
    ranges = Ranges(
        method="minmax",
        image_count=len(images),
        images_sha256="",
        values=both_ranges.values,
        inner={"tflite": seen},
        routing=both_ranges.routing,
    )
    made = build_int8(both, ranges, TfliteInt8Options(), {}, lambda _stage: None)
    assert set(asked.names) <= {tensor.name.decode() for tensor in read_back(made.content).subgraphs[0].tensors}


def test_less_is_observed_where_less_is_integer(both: Prepared) -> None:
    assert observation(both, TfliteInt8Options(mode="dynamic")).names == ()
    pieces = tuple(f"expand.{own}_{piece}" for piece in (0, 1) for own in ("0/piece", "2/silu"))
    assert set(observation(both, TfliteInt8Options(mode="int16")).names) == set(pieces)
    assert set(observation(both, TfliteInt8Options(float_layers=frozenset({"cond"}))).names) == set(pieces)


def test_the_graph_is_left_as_it_was(both: Prepared) -> None:
    before = [node.name for node in both.model.graph]
    observation(both, TfliteInt8Options(batch=3))
    assert [node.name for node in both.model.graph] == before
    assert np.shape(both.model.graph.inputs[0].shape) == (4,)
