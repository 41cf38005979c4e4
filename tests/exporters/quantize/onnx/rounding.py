"""What tests of the int8 ONNX writer share: a plain min/max calibration, files run in two ways, and what the engine
makes of a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

from condmix.exporters.build import Build, Prepared
from condmix.exporters.finish import finish
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.quantize.onnx.build import build_int8
from condmix.exporters.quantize.onnx.options import OnnxInt8Options
from condmix.exporters.quantize.onnx.records import Int8Build
from condmix.exporters.quantize.ranges import Range, Ranges
from condmix.exporters.verify.tapping import value_names, with_outputs
from condmix.models.condconv import CondConv2d, Routing
from condmix.models.mixconv import MixConv2d
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from tests.exporters.graphs import run

Feeds = Mapping[str, np.ndarray]


class EveryForm(nn.Module):
    """Every construct that int8 treats in a way of its own, with channels that do not come out even."""

    INPUT_SIZE = (3, 36, 36)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 10, 3, stride=2, padding=1), nn.SiLU())
        self.routing = Routing(10, 4)
        self.expand = CondConv2d(10, 24, 1, experts=4)
        self.depthwise = CondConv2d(24, 24, 3, experts=4, groups=24)
        self.project = CondConv2d(24, 10, 1, experts=4)
        self.dense = nn.Conv2d(10, 20, 3, padding=1)
        self.pool = nn.MaxPool2d(2, stride=1)
        self.widen = nn.Conv2d(20, 36, 1, groups=2)
        self.mix = MixConv2d(36, (3, 11))
        self.squeeze = nn.Conv2d(36, 4, 1)
        self.excite = nn.Conv2d(4, 36, 1)
        self.narrow = nn.Conv2d(36, 20, 1, groups=2)
        self.classifier = nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        gates = self.routing(x)
        inner = nn.functional.relu6(self.expand(x, gates))
        inner = nn.functional.silu(self.depthwise(inner, gates))
        x = x + self.project(inner, gates)
        x = self.pool(torch.relu(self.dense(x)))
        inner = nn.functional.silu(self.mix(nn.functional.silu(self.widen(x))))
        pooled = inner.mean((2, 3), keepdim=True)
        inner = inner * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
        x = x + self.narrow(inner)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def prepared_of(model: ir.Model) -> Prepared:
    """A graph as the stages before leave it."""
    return Prepared(model=model, built=Build(stages=(), layers=(), steps=(), taps=()))


def images_of(size: tuple[int, ...], count: int = 8, *, name: str = "input", seed: int = 0) -> dict[str, np.ndarray]:
    """Noise of different strengths."""
    generator = np.random.default_rng(seed)
    images = generator.standard_normal((count, *size)) * generator.uniform(0.5, 1.5, (count, 1, 1, 1))
    return {name: images.astype(np.float32)}


def rows_of(feeds: Feeds) -> list[dict[str, np.ndarray]]:
    """Feeds of several images, one image at a time."""
    count = len(next(iter(feeds.values())))
    return [{name: array[index : index + 1] for name, array in feeds.items()} for index in range(count)]


def calibrated(model: ir.Model, feeds: Feeds) -> Ranges:
    """The smallest and the largest number of every value of the graph, and every routing."""
    proto = finish(model.clone(), 18, {})
    tapped = with_outputs(proto, sorted(value_names(proto)))
    routed = {node.inputs[1].name for node in model.graph if is_condconv(node) and node.inputs[1] is not None}
    values: dict[str, Range] = {}
    routing: dict[str, list[np.ndarray]] = {}
    for row in rows_of(feeds):
        for name, array in {**row, **run(tapped, row)}.items():
            if array.dtype != np.float32:
                continue
            own = Range.around(float(array.min()), float(array.max()))
            values[name] = own.joined(values.get(name, own))
            if name in routed:
                routing.setdefault(name, []).append(array.reshape(-1))
    return Ranges(
        method="minmax",
        image_count=len(next(iter(feeds.values()))),
        images_sha256="",
        values=values,
        routing={name: np.stack(rows) for name, rows in routing.items()},
    )


def built(model: ir.Model, feeds: Feeds, **choices: object) -> Int8Build:
    """An int8 file, calibrated on the images it is then tried on."""
    options = OnnxInt8Options(**choices)  # type: ignore[arg-type]
    return build_int8(prepared_of(model), calibrated(model, feeds), options, {}, lambda _stage: None)


def outputs(proto: onnx.ModelProto, feeds: Feeds, *, optimised: bool = True) -> np.ndarray:
    """The first output for all images, one call each; unoptimised is what the file means."""
    level = Optimization.ALL if optimised else Optimization.NONE
    session = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1, optimization=level)
    return np.concatenate([next(iter(session.run(row).values())) for row in rows_of(feeds)])


def batched_outputs(proto: onnx.ModelProto, feeds: Feeds, size: int, *, optimised: bool = True) -> np.ndarray:
    """The same, `size` images a call; the last call is filled up with images from the start."""
    level = Optimization.ALL if optimised else Optimization.NONE
    session = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1, optimization=level)
    count = len(next(iter(feeds.values())))
    rows = []
    for start in range(0, count, size):
        taken = np.arange(start, start + size) % count
        rows.append(next(iter(session.run({name: array[taken] for name, array in feeds.items()}).values())))
    return np.concatenate(rows)[:count]


def engine_operators(proto: onnx.ModelProto, folder: Path) -> Counter[str]:
    """The operators of the graph that ONNX Runtime runs."""
    path = folder / "optimised.onnx"
    OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1, optimized_path=path)
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def quality_db(expected: np.ndarray, actual: np.ndarray) -> float:
    """Signal over error, in decibels."""
    error = float(np.square(expected.astype(np.float64) - actual).sum())
    return float(10 * np.log10(np.square(expected.astype(np.float64)).sum() / max(error, 1e-30)))


def names_in(proto: onnx.ModelProto, op_types: Sequence[str]) -> list[str]:
    """The results of all nodes of these operators."""
    return [node.output[0] for node in proto.graph.node if node.op_type in op_types]
