"""Routing histograms: how far each expert of each block is opened, from an exported file itself and some images.

Which values are routing is told by the names that the export gave them; the file then shows them: an ONNX file through
a copy that returns them too, a TFLite file through an interpreter that keeps its inner tensors.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from condmix.runtime.audit.onnx_file import read_onnx
from condmix.runtime.audit.onnx_names import module_of
from condmix.runtime.bench.inputs import Feeds, feeds_of_images
from condmix.runtime.bench.subject import ONNXRUNTIME
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.signature import Tensor

BINS = 20
_GIVEN = "given"


@dataclass(frozen=True, kw_only=True)
class RoutingBlock:
    """One block's routing over some images. block: its module, or the value's name where no module is known.

    bin_edges: [bins + 1], from 0 to 1 where all weights lie between, else the extremes seen.
    counts: an expert a row, images in each bin. mean: of each expert.
    """

    block: str
    experts: int
    images: int
    bin_edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    mean: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        lists = {"bin_edges": list(self.bin_edges), "counts": list(map(list, self.counts)), "mean": list(self.mean)}
        return {**asdict(self), **lists}


@dataclass(frozen=True, kw_only=True)
class RoutingHistograms:
    """All blocks of one file in the order of computation. source: on which images, or why nothing is known."""

    blocks: tuple[RoutingBlock, ...]
    source: str

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON: one subject's part of the section `routing`."""
        return {"blocks": [block.to_dict() for block in self.blocks], "source": self.source}


def routing_histograms(
    file: Path,
    images: Mapping[str, Tensor],
    values: Sequence[str],
    *,
    engine: str,
    source: str,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> RoutingHistograms:
    """The histogram of every block whose routing the file shows, over the images [N, ...].

    values: the names that the export's record gives to routing. source: what the images are, in words.
    Raises ModelUnreadableError, EngineMissingError, InvalidSettingError for images that do not fit, SessionFailedError.
    """
    shown = _from_onnx if engine == ONNXRUNTIME else _from_tflite
    rows = shown(file, images, values, shapes or {})
    broken = [block for block, weights in rows.items() if not np.isfinite(weights).all()]
    blocks = tuple(_histogram(block, weights) for block, weights in rows.items() if block not in broken)
    said = [source]
    if hidden := len(set(values)) - len(rows):
        said.append(f"{hidden} of {len(set(values))} blocks do not show their routing in this file")
    said += [f"the routing of {block} is not finite" for block in broken]
    return RoutingHistograms(blocks=blocks, source="; ".join(said))


def unknown_routing(reason: str) -> RoutingHistograms:
    """What is said of a file whose routing is not known."""
    return RoutingHistograms(blocks=(), source=f"no routing is known: {reason}")


def _from_onnx(
    file: Path, images: Mapping[str, Tensor], values: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    graph = read_onnx(file)
    block_of = {value: module_of(graph.nodes[graph.writer[value]]) for value in values if value in graph.writer}
    if not block_of:
        return {}
    session = OnnxRuntimeBackend().open(_with_outputs(file, [*block_of]), threads=1)
    feeds = feeds_of_images(images, session.signature, source=_GIVEN, shapes=shapes)

    def run(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs = session.run(arrays)
        return {value: outputs[value] for value in block_of}

    rows = _rows(feeds, run)
    return _by_block(rows, block_of)


def _with_outputs(file: Path, names: Sequence[str]) -> bytes:
    """The file's content, returning these values too."""
    onnx: Any = importlib.import_module("onnx")  # `read_onnx` has said what is missing without it
    model = onnx.load(file)
    present = {output.name for output in model.graph.output}
    for name in names:
        if name not in present:
            model.graph.output.add().name = name
    return bytes(model.SerializeToString())


def _from_tflite(
    file: Path, images: Mapping[str, Tensor], values: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    session = LiteRtBackend().open(file, threads=1, preserve_all_tensors=True)
    # Tensors are called after their module and the value, `blocks.2.routing:sigmoid`.
    of_value = {name.rpartition(":")[2]: name for name in session.tensor_names()}
    names = {value: of_value[value] for value in values if value in of_value}
    if not names:
        return {}
    feeds = feeds_of_images(images, session.signature, source=_GIVEN, shapes=shapes, scales=dict(session.end_scales()))

    def run(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        session.run(arrays)
        return {name: session.real(name) for name in names.values()}

    return _by_block(_rows(feeds, run), {name: name.rpartition(":")[0] for name in names.values()})


def _rows(feeds: Feeds, run: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """[images, experts] of each value, every image once; a batch is filled up with images that were there before."""
    rows: dict[str, dict[int, Tensor]] = {}
    for number, images in enumerate(feeds.image_of_row):
        shown = run({name: array[number] for name, array in feeds.arrays.items()})
        for name, value in shown.items():
            for image, weights in zip(images, value.reshape(len(images), -1), strict=True):
                rows.setdefault(name, {}).setdefault(int(image), weights)
    return {name: np.stack([of_image[image] for image in sorted(of_image)]) for name, of_image in rows.items()}


def _by_block(rows: Mapping[str, Tensor], block_of: Mapping[str, str | None]) -> dict[str, Tensor]:
    """The rows under the names of their blocks; a module with several routings has the value's name beside its own."""
    blocks = [block_of[name] or name for name in rows]
    return {
        block if blocks.count(block) == 1 else f"{block} ({name})": weights
        for block, (name, weights) in zip(blocks, rows.items(), strict=True)
    }


def _histogram(block: str, weights: Tensor) -> RoutingBlock:
    low, high = float(weights.min()), float(weights.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts = [np.histogram(column, bins=edges)[0] for column in weights.T]
    return RoutingBlock(
        block=block,
        experts=weights.shape[1],
        images=weights.shape[0],
        bin_edges=tuple(map(float, edges)),
        counts=tuple(tuple(map(int, row)) for row in counts),
        mean=tuple(map(float, weights.mean(axis=0))),
    )
