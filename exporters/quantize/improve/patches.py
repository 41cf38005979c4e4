"""What the weights of a layer see: samples of its input patches and of its routing, over calibration images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.graph.facts import static_shape
from condmix.exporters.named.condconv import ConvSettings
from condmix.exporters.named.functions import attach_functions
from condmix.exporters.quantize.improve.layers import Layer, Part
from condmix.exporters.verify.tapping import with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.onnx_session import OnnxRuntimeBackend

SEED = 0
ROWS_A_COLUMN = 4
"""Samples for each weight of a kernel: with fewer than one, compensation fits noise."""
FEWEST_ROWS, MOST_ROWS = 512, 4096
MOST_BYTES = 256 * 2**20
"""Of the samples that are held at one time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """The samples of one layer.

    patches: for each part of the layer (rows, groups, columns), float32; columns are in / group x height x width.
    routing: (rows, experts); a single one where the layer has none.
    """

    patches: tuple[np.ndarray, ...]
    routing: np.ndarray


def samples(
    model: ir.Model,
    layers: Sequence[Layer],
    images_nchw: np.ndarray,
    report_progress: Callable[[str], None],
    *,
    most_bytes: int = MOST_BYTES,
) -> Iterator[dict[str, Seen]]:
    """Samples of all layers by the name of their output, a few layers at a time so that they fit into memory.

    The model is run as it is when iteration begins: what is done to the graph in between changes no sample.
    """
    frozen = model.clone()
    attach_functions(frozen)
    proto = ir.to_proto(frozen)
    done = 0
    for chunk in _chunks(layers, len(images_nchw), most_bytes):
        names = [name for layer in chunk for name in _needed(layer)]
        session = OnnxRuntimeBackend().open(with_outputs(proto, names).SerializeToString(), threads=1)
        inputs = [spec.name for spec in session.signature.inputs]
        kept: dict[str, list[tuple[list[np.ndarray], np.ndarray]]] = {layer.output_name: [] for layer in chunk}
        for index, image in enumerate(images_nchw):
            given = feeds(as_batch(image), inputs)
            values = {**session.run(given), **given}
            for layer in chunk:
                kept[layer.output_name].append(_of_one_image(layer, values, index, len(images_nchw)))
        done += len(chunk)
        report_progress(f"sampled {done} of {len(layers)} layers on {len(images_nchw)} images")
        yield {name: _joined(rows) for name, rows in kept.items()}


def rows_wanted(layer: Layer) -> int:
    """How many samples a layer should have, over all images."""
    columns = max(int(np.prod(part.weight_eoihw.shape[2:])) for part in layer.parts)
    return int(np.clip(ROWS_A_COLUMN * columns, FEWEST_ROWS, MOST_ROWS))


def patches_at(x_chw: np.ndarray, settings: ConvSettings, positions: np.ndarray, width: int) -> np.ndarray:
    """What the kernel covers at these output positions (numbered row by row): (positions, groups, columns)."""
    top, left, bottom, right = settings.pads
    padded = np.pad(x_chw, ((0, 0), (top, bottom), (left, right)))
    ys = (positions // width)[:, None] * settings.strides[0] + np.arange(settings.kernel[0]) * settings.dilations[0]
    xs = (positions % width)[:, None] * settings.strides[1] + np.arange(settings.kernel[1]) * settings.dilations[1]
    taps = padded[:, ys[:, :, None], xs[:, None, :]]
    grouped = taps.reshape(settings.group, -1, len(positions), *settings.kernel)
    return np.ascontiguousarray(grouped.transpose(2, 0, 1, 3, 4)).reshape(len(positions), settings.group, -1)


def _of_one_image(
    layer: Layer, values: dict[str, np.ndarray], index: int, images: int
) -> tuple[list[np.ndarray], np.ndarray]:
    x = values[layer.x.name or ""]
    x_chw = x.reshape(x.shape[1], *(x.shape[2:] or (1, 1)))
    height, width = static_shape(layer.output)[2:] or (1, 1)
    count = min(-(-rows_wanted(layer) // images), height * width)
    generator = np.random.default_rng((SEED, index))
    positions = np.sort(generator.choice(height * width, size=count, replace=False))
    patches = [patches_at(x_chw[part.inputs], part.settings, positions, width) for part in layer.parts]
    routing = np.ones((1, 1), np.float32) if layer.routing is None else values[layer.routing.name or ""].reshape(1, -1)
    return patches, np.repeat(routing, count, axis=0)


def _joined(rows: Sequence[tuple[list[np.ndarray], np.ndarray]]) -> Seen:
    parts = zip(*(patches for patches, _ in rows), strict=True)
    return Seen(
        patches=tuple(np.concatenate(part) for part in parts), routing=np.concatenate([routing for _, routing in rows])
    )


def _needed(layer: Layer) -> list[str]:
    values = [layer.x] if layer.routing is None else [layer.x, layer.routing]
    return [value.name or "" for value in values if not value.is_graph_input()]


def _chunks(layers: Sequence[Layer], images: int, most_bytes: int) -> Iterator[list[Layer]]:
    chunk: list[Layer] = []
    size = 0
    for layer in layers:
        own = _sample_bytes(layer, images)
        if chunk and size + own > most_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(layer)
        size += own
    if chunk:
        yield chunk


def _sample_bytes(layer: Layer, images: int) -> int:
    return 4 * max(rows_wanted(layer), images) * sum(_row_length(part) for part in layer.parts)


def _row_length(part: Part) -> int:
    return int(np.prod(part.weight_eoihw.shape[2:])) * part.settings.group
