"""Networks with results of every kind and inputs beside the image, in a style nobody here writes; and their proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from condmix.exporters.build import Prepared, build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.rename import with_names
from condmix.exporters.tflite.build import build_tflite_prepared
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.oracle import oracle_of
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.tflite import verify_tflite
from condmix.exporters.verify.verify import verify_onnx
from condmix.runtime.tolerance import Tolerance

SIZE = (3, 24, 24)


class Attended(nn.Module):
    """A convolution whose kernel is mixed by a vector that somebody hands in."""

    def __init__(self, wide_in: int, wide_out: int, told: int, stride: int) -> None:
        super().__init__()
        self.gate = nn.Linear(told, 3)
        self.kernels = nn.Parameter(torch.randn(3, wide_out * wide_in * 9) * (2 / (9 * wide_in)) ** 0.5)
        self.shape, self.stride = (wide_out, wide_in, 3, 3), stride

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        mixed = (torch.sigmoid(self.gate(told)) @ self.kernels).reshape(-1, *self.shape[1:])
        together = x.reshape(1, -1, *x.shape[2:])
        y = functional.conv2d(together, mixed, stride=self.stride, padding=1, groups=x.shape[0])
        return y.reshape(x.shape[0], self.shape[0], *y.shape[2:])


class Trunk(nn.Module):
    """Two maps, the second at half the size; `told` routes both, the image's own mean where it is None."""

    def __init__(self, told: int | None = None) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.fine, self.coarse = Attended(8, 10, told or 8, 1), Attended(10, 12, told or 10, 2)
        self.norm = nn.BatchNorm2d(10)

    def forward(self, x: Tensor, told: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.stem(x).relu()
        fine = self.norm(self.fine(x, x.mean((2, 3)) if told is None else told)).relu()
        return fine, self.coarse(fine, fine.mean((2, 3)) if told is None else told).relu()


class Everything(nn.Module):
    """Keys, a list, one tensor under two names, a result that is read further, and the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.classes, self.boxes = Trunk(), nn.Linear(12, 5), nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> dict[str, object]:
        fine, coarse = self.trunk(x)
        embedding = coarse.mean((2, 3))
        scores = self.classes(embedding)
        boxes = self.boxes(coarse).flatten(2).transpose(1, 2)
        return {"scores": scores, "same": scores, "maps": [fine, coarse], "boxes": boxes, "e": embedding, "image": x}


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(self.trunk(x))


class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.project = Trunk(), nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.project(self.trunk(x)[1].mean((2, 3))))


class Labels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = Trunk(), nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x)[1].mean((2, 3))).sigmoid()


class Result(NamedTuple):
    scores: Tensor
    masked: Tensor


class Told(nn.Module):
    """The routing comes from a context vector, and a mask of another size weighs the map."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = Trunk(7), nn.Linear(12, 5)

    def forward(self, image: Tensor, context: Tensor, mask: Tensor) -> Result:
        fine, coarse = self.trunk(image, context)
        return Result(self.head((coarse * mask).mean((2, 3))), fine * mask.mean((2, 3), keepdim=True))


@dataclass(frozen=True, kw_only=True)
class SeveralCase:
    """A network, what it takes beside the image, names that a user gives, and what comes out: kinds by output."""

    name: str
    build: Callable[[], nn.Module]
    kinds: Mapping[str, str]
    more_inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input_names: tuple[str, ...] | None = None
    output_names: tuple[str, ...] | None = None
    quick: bool = False


CASES = (
    SeveralCase(
        name="everything",
        build=Everything,
        kinds={
            "scores": "classes", "same": "classes", "maps_0": "values", "maps_1": "values", "boxes": "values",
            "e": "embedding", "image": "values",
        },
        quick=True,
    ),
    SeveralCase(name="pyramid", build=Pyramid, kinds={"output0": "values", "output1": "values"}),
    SeveralCase(name="embedding", build=Embedding, kinds={"embedding": "embedding"}),
    SeveralCase(name="labels", build=Labels, kinds={"probabilities": "labels"}),
    SeveralCase(
        name="told",
        build=Told,
        kinds={"likely": "classes", "weighed": "values"},
        more_inputs={"context": (7,), "mask": (1, 6, 6)},
        input_names=("photo", "mask", "context"),
        output_names=("likely", "weighed"),
        quick=True,
    ),
)  # fmt: skip
"""`told` gives its inputs names that other ones had: feeding by name would exchange them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeveralProof:
    """The case captured and prepared, evidence for it, and the verdicts by way of export."""

    prepared: Prepared
    evidence: Evidence
    verifications: Mapping[str, Verification]


def prove(case: SeveralCase) -> SeveralProof:
    """Captured once, exported to ONNX for one image, for three and for any number, and to TFLite."""
    torch.manual_seed(0)
    network = case.build().eval()
    captured = capture(network, SIZE, case.more_inputs)
    captured, oracle = with_names(captured, oracle_of(network), case.input_names, case.output_names)
    prepared = prepare(captured, ExportOptions(stage="rewritten"), {}, _silent)
    tolerance = Tolerance.for_precision("float32")
    evidence = gather(prepared.built, oracle, SIZE, batch=None, images=None, report_progress=_silent)
    found: dict[str, Verification] = {}
    for options in (ExportOptions(), ExportOptions(batch=3), ExportOptions(batch=None)):
        built = build_prepared(replace(prepared), options, {}, _silent)
        name = f"onnx, batch {options.batch or 'dynamic'}"
        found[name] = verify_onnx(built, evidence, batch=options.batch, tolerance=tolerance, report_progress=_silent)
    for layout in ("nhwc", "nchw"):
        file = build_tflite_prepared(prepared, TfliteOptions(layout=layout), {}, _silent)
        found[f"tflite, {layout}"] = verify_tflite(
            file,
            evidence,
            batch=1,
            tolerance=Tolerance.for_precision("float32_tflite"),
            shared_tolerance=tolerance,
            report_progress=_silent,
        )
    return SeveralProof(prepared=prepared, evidence=evidence, verifications=found)


def _silent(_stage: str) -> None:
    """Nobody is watching."""
