"""What tests of the int8 TFLite writer share: a plain min/max calibration on the float twin, and files compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.build import Build, Prepared
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.tflite.build import TfliteInt8Build, build_int8
from condmix.exporters.quantize.tflite.observation import float_twin, observation
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.tflite.write import write_model
from condmix.exporters.verify.tflite import in_layout
from tests.exporters.tflite.running import open_file, results

Feeds = Mapping[str, np.ndarray]


def prepared_of(model: ir.Model) -> Prepared:
    """A graph as the stages before leave it."""
    return Prepared(model=model, built=Build(stages=(), layers=(), steps=(), taps=()))


def rows_of(feeds: Feeds) -> list[dict[str, np.ndarray]]:
    """Feeds of several images, one image at a time."""
    count = len(next(iter(feeds.values())))
    return [{name: array[index : index + 1] for name, array in feeds.items()} for index in range(count)]


def calibrated(prepared: Prepared, rows: Sequence[Feeds]) -> Ranges:
    """The smallest and largest number of every graph value, and of what the float twin has besides."""
    asked = observation(prepared, TfliteInt8Options()).names
    lowered = float_twin(prepared, batch=1, layout="nhwc", metadata={})
    session = open_file(write_model(lowered.model), preserve=True)
    seen: dict[str, Range] = {}
    routing: dict[str, list[np.ndarray]] = {}
    for feeds in rows:
        session.run({name: in_layout(array, "nhwc") if array.ndim == 4 else array for name, array in feeds.items()})
        for name in session.tensor_names():
            array = session.tensor(name)
            own = Range.around(array.min(), array.max())
            seen[name] = own.joined(seen.get(name, own))
            if array.ndim == 2:
                routing.setdefault(name, []).append(array[0].copy())
    values = {value: seen[name] for value, name in lowered.tensor_of_value.items() if name in seen}
    inner = {name: seen[name] for name in asked}
    return Ranges(
        method="minmax",
        image_count=len(rows),
        images_sha256="",
        values=values,
        inner={"tflite": inner},
        routing={v: np.stack(routing[name]) for v, name in lowered.tensor_of_value.items() if name in routing},
    )


def built(model: ir.Model, feeds: Feeds, **choices: object) -> TfliteInt8Build:
    """An int8 file, calibrated on the images it is then tried on."""
    prepared = prepared_of(model)
    options = TfliteInt8Options(**choices)  # type: ignore[arg-type]
    return build_int8(prepared, calibrated(prepared, rows_of(feeds)), options, {}, lambda _stage: None)


def outputs(content: bytes, feeds: Feeds, *, delegate: bool = True) -> dict[str, np.ndarray]:
    """All images, one call each."""
    session = open_file(content, delegate=delegate)
    made = [results(session, row) for row in rows_of(feeds)]
    return {name: np.concatenate([row[name] for row in made]) for name in made[0]}


def quality_db(expected: np.ndarray, actual: np.ndarray) -> float:
    """Signal over error in decibels."""
    error = float(np.square(expected.astype(np.float64) - actual).sum())
    return float(10 * np.log10(np.square(expected.astype(np.float64)).sum() / max(error, 1e-30)))
