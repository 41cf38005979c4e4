"""The rewritten graph is run on images, every value of it in sight, and what it shows becomes ranges.

Looking (`look`) and choosing ranges (`ranges_from`) are two steps: several methods can be tried on one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from condmix.exporters.build import Prepared
from condmix.exporters.errors import CalibrationError
from condmix.exporters.finish import finish
from condmix.exporters.graph.facts import attribute_int, constant, is_op, module_path
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.named.mixconv import is_mixconv
from condmix.exporters.quantize.bounds import FREE, Bound, bounds
from condmix.exporters.quantize.histogram import Histogram
from condmix.exporters.quantize.observe import ReportProgress, observe
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.quantize.select import DEFAULT_METHOD, DEFAULT_PERCENTILE, check_method, select
from condmix.exporters.verify.tapping import value_names, with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Session

DEFAULT_THREADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """What a graph showed on a set of images, before any method chose ranges. Arrays as in `Ranges`."""

    image_count: int
    images_sha256: str
    histograms: Mapping[str, Histogram]
    bounds: Mapping[str, Bound]
    routing: Mapping[str, np.ndarray]
    channel_means: Mapping[str, np.ndarray]


def calibrate(
    model: ir.Model | Prepared,
    images: Iterable[np.ndarray],
    *,
    method: str = DEFAULT_METHOD,
    percentile: float = DEFAULT_PERCENTILE,
    threads: int = DEFAULT_THREADS,
    report_progress: ReportProgress | None = None,
) -> Ranges:
    """The ranges of all values of the rewritten graph, which is left as it was, over the images (C, H, W), float32.

    Images are asked for one at a time and never kept. Raises CalibrationError for an unknown method, for no image,
    for one of the wrong shape, and for values that are NaN or infinite, with the first module that shows them.
    """
    check_method(method, percentile)
    found = look(model, images, threads=threads, report_progress=report_progress)
    return ranges_from(found, method=method, percentile=percentile)


def ranges_from(found: Observations, *, method: str = DEFAULT_METHOD, percentile: float = DEFAULT_PERCENTILE) -> Ranges:
    """The ranges that the method chooses for what was observed. Raises CalibrationError for an unknown method."""
    check_method(method, percentile)
    values = select_all(found.histograms, method, percentile=percentile, bounds=found.bounds)
    return Ranges(
        method=f"percentile {percentile:g}" if method == "percentile" else method,
        image_count=found.image_count,
        images_sha256=found.images_sha256,
        values=values,
        routing=found.routing,
        channel_means=found.channel_means,
    )


def select_all(
    histograms: Mapping[str, Histogram],
    method: str,
    *,
    percentile: float = DEFAULT_PERCENTILE,
    bounds: Mapping[str, Bound] | None = None,
) -> dict[str, Range]:
    """The range of each value, by the same names; for the inner values of a format, observed in its own file."""
    known = bounds or {}
    return {
        name: select(histogram, method, percentile=percentile, bound=known.get(name, FREE))
        for name, histogram in histograms.items()
    }


def look(
    model: ir.Model | Prepared,
    images: Iterable[np.ndarray],
    *,
    threads: int = DEFAULT_THREADS,
    report_progress: ReportProgress | None = None,
) -> Observations:
    """What every value of the graph is on the images. Raises as `calibrate` does."""
    graph_model = model.model if isinstance(model, Prepared) else model
    graph = graph_model.graph
    taps = _Taps(graph_model, threads)
    histograms = observe(taps.run, images, report_progress)
    if not taps.image_count:
        message = "calibration was given no images: expected at least one"
        raise CalibrationError(message)
    _require_sound(graph, histograms, taps.image_count)
    return Observations(
        image_count=taps.image_count,
        images_sha256=taps.digest.hexdigest(),
        histograms=histograms,
        bounds=bounds(graph),
        routing={name: np.stack(rows) for name, rows in taps.routing.items()},
        channel_means={
            name: (total / taps.image_count).astype(np.float32) for name, total in taps.channel_sums.items()
        },
    )


class _Taps:
    """One image at a time through the graph; on the way routing rows and channel means are noted."""

    def __init__(self, model: ir.Model, threads: int) -> None:
        # A finished copy, as an export writes it: the model goes on to be lowered.
        proto = finish(model.clone(), model.opset_imports[""], {})
        shown = value_names(proto)
        names = [
            name for node in proto.graph.node for name in node.output if name in shown and node.op_type != "Constant"
        ]
        self._session: Session = OnnxRuntimeBackend().open(
            with_outputs(proto, [name for name in names if name]).SerializeToString(), threads=threads
        )
        self._inputs = self._session.signature.inputs
        self.image_count = 0
        self.digest = hashlib.sha256()
        self.routing: dict[str, list[np.ndarray]] = {name: [] for name in routing_names(model.graph)}
        self.channel_sums: dict[str, np.ndarray] = {}
        self._layer_inputs = layer_input_names(model.graph)

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """All values of the graph, its input among them."""
        given = feeds(as_batch(image), [spec.name for spec in self._inputs])
        for spec in self._inputs:
            found, wanted = given[spec.name].shape[1:], tuple(spec.shape[1:])
            if found != wanted:
                message = f"calibration image {self.image_count} has shape {found}: expected {wanted}"
                raise CalibrationError(message)
        fed = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in given.items()}
        values = {**fed, **self._session.run(fed)}
        for array in fed.values():
            self.digest.update(array.data)
        self.image_count += 1
        for name, rows in self.routing.items():
            rows.append(values[name].reshape(-1).copy())
        for name in self._layer_inputs:
            self._note_channels(name, values[name])
        return values

    def _note_channels(self, name: str, array: np.ndarray) -> None:
        # Values that are not finite are told with their place once all images have run.
        with np.errstate(over="ignore", invalid="ignore"):
            means = array.reshape(array.shape[1], -1).mean(axis=1).astype(np.float64)
        if name in self.channel_sums:
            self.channel_sums[name] += means
        else:
            self.channel_sums[name] = means


def routing_names(graph: ir.Graph) -> tuple[str, ...]:
    """The values that hold the routing of the CondConv nodes, each once, in order."""
    found = [node.inputs[1] for node in graph if is_condconv(node)]
    return tuple(dict.fromkeys(value.name or "" for value in found if value is not None))


def float_value_names(graph: ir.Graph) -> tuple[str, ...]:
    """The values that get a range: the graph's inputs, and every float result of a node."""
    values = [*graph.inputs, *(output for node in graph for output in node.outputs)]
    return tuple(value.name or "" for value in values if value.name and value.dtype is ir.DataType.FLOAT)


def layer_input_names(graph: ir.Graph) -> tuple[str, ...]:
    """What the layers with weights read, (1, channels, ...), each value once, in order."""
    layers = [node for node in graph if is_op(node, "Conv", "Gemm") or is_condconv(node) or is_mixconv(node)]
    read = [node.inputs[0] for node in layers if not attribute_int(node, "transA", 0)]
    return tuple(dict.fromkeys(value.name or "" for value in read if value is not None and not value.is_initializer()))


def _masks(node: ir.Node) -> bool:
    """Whether minus infinity is written on purpose: in front of a softmax, for what is not to be chosen."""
    stored = [constant(value) for value in node.inputs[1:3]] if is_op(node, "Where") else []
    lowest = any(array is not None and array.size == 1 and float(array.reshape(())) == -np.inf for array in stored)
    readers = [use.node for use in node.outputs[0].uses()]
    return lowest and bool(readers) and all(is_op(reader, "Softmax") for reader in readers)


def _require_sound(graph: ir.Graph, histograms: Mapping[str, Histogram], image_count: int) -> None:
    """Every value is finite on every image. Raises CalibrationError for the first, in order of computation."""
    sources = [(value.name or "", "the image itself") for value in graph.inputs]
    for node in graph:
        if _masks(node):
            continue
        place = f"module '{module_path(node)}'" if module_path(node) else "the network's own forward"
        sources.extend((output.name or "", f"{place} ({node.op_type})") for output in node.outputs)
    for name, place in sources:
        histogram = histograms.get(name)
        if histogram is None or not histogram.unsound_arrays:
            continue
        found = [
            f"{count} {word}"
            for count, word in ((histogram.nan_count, "NaN"), (histogram.infinity_count, "infinite numbers"))
            if count
        ]
        message = (
            f"calibration met NaN or infinity, first in {place}, value '{name}': on {histogram.unsound_arrays} of "
            f"{image_count} images, {' and '.join(found)} in all. Expected finite numbers everywhere: check the "
            "network's weights, and that the images are preprocessed as in its training"
        )
        raise CalibrationError(message)
