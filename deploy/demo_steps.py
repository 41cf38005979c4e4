"""The steps of the demonstration: train one network, export it, and compare file and network on digits and clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from condmix.deploy.digits_training import TrainedNetwork, train_digits
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.pipeline import run
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome
from condmix.deploy.summary import file_size
from condmix.deploy.torch_threads import one_torch_thread
from condmix.exporters.options import ExportOptions
from condmix.models import digits
from condmix.models.training import TrainingProgress, TrainingSettings
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.onnx_session import OnnxRuntimeBackend, OnnxRuntimeSession
from condmix.runtime.tolerance import Tolerance

LATENCY = LatencySettings(warmup_runs=10, minimum_runs=100, minimum_seconds=0.5, block=5, seed=0)
PYTORCH, FILE = "PyTorch", "ONNX Runtime"


@dataclass(frozen=True, kw_only=True)
class DemoRow:
    """One exported file, and what was measured on it in this run."""

    batch: int | None
    trained: TrainedNetwork
    outcome: ExportOutcome
    file_accuracy: float
    latency: LatencyReport

    def cells(self) -> tuple[str, ...]:
        """The columns of the summary table."""
        pytorch_ms, file_ms = (self.latency.candidate(name).median_ns(Clock.WALL) / 1e6 for name in (PYTORCH, FILE))
        worst = self.outcome.verification.final.worst_output
        parity = "" if worst is None or worst.worst is None else f"max|d| {worst.worst.relative:.1e}"
        return (
            self.outcome.network.architecture,
            "any" if self.batch is None else str(self.batch),
            f"{self.trained.result.held_out_accuracy:.2%}",
            f"{self.file_accuracy:.2%}",
            self.outcome.artifact.path.name,
            file_size(self.outcome.artifact.size_bytes),
            parity,
            f"{pytorch_ms:.3f}",
            f"{file_ms:.3f}",
            self.ratio_text(),
        )

    def ratio_text(self) -> str:
        """The file's time over PyTorch's, or that no difference could be measured."""
        ratio = self.latency.ratio(FILE, PYTORCH, Clock.WALL)
        if ratio.ratio is None or not self.latency.is_different(ratio):
            return "no measurable difference"
        return f"{ratio.ratio:.2f}"


def train_for_demo(
    architecture: str,
    path: Path,
    seed: int,
    epochs: int | None,
    report_epoch: Callable[[TrainingProgress], None],
) -> TrainedNetwork:
    """The network is trained on the digits and saved at `path`. Raises what `train_digits` raises."""
    settings = TrainingSettings(seed=seed) if epochs is None else TrainingSettings(seed=seed, epochs=epochs)
    return train_digits(architecture, {}, settings, path, report_epoch)


def export_trained(
    weights: Path, target: Path, batch: int | None, report_progress: Callable[[str], None]
) -> ExportOutcome:
    """The weights are exported to `target` with every check. Raises what `pipeline.run` raises."""
    plan = Plan(
        loading=Loading(model=weights),
        output=output_names(weights, target, "final"),
        options=ExportOptions(batch=batch),
        tolerance=Tolerance.for_precision("float32"),
        images=None,
        overwrite=True,
        command_line=("python", "-m", "condmix.deploy.demo"),
    )
    return run(plan, report_progress)


def measure_file(batch: int | None, trained: TrainedNetwork, outcome: ExportOutcome) -> DemoRow:
    """The file's own accuracy on the held-out digits, and its time beside PyTorch's, one image and one thread.

    The two are timed in turns in shuffled rounds, so that neither gets the quiet minute.
    """
    data = digits.load()
    session = OnnxRuntimeBackend().open(outcome.artifact.path, threads=1)
    with one_torch_thread():
        latency = _latency(session, outcome.network.module, data.held_out_images[:1])
    return DemoRow(
        batch=batch,
        trained=trained,
        outcome=outcome,
        file_accuracy=_accuracy(session, data.held_out_images, data.held_out_labels),
        latency=latency,
    )


def _latency(session: OnnxRuntimeSession, module: torch.nn.Module, image_nchw: np.ndarray) -> LatencyReport:
    name, tensor = session.signature.inputs[0].name, torch.from_numpy(image_nchw)

    def run_pytorch() -> object:
        with torch.inference_mode():
            return module(tensor)

    candidates = {PYTORCH: run_pytorch, FILE: lambda: session.run({name: image_nchw})}
    return measure(candidates, settings=LATENCY)


def _accuracy(session: OnnxRuntimeSession, images_nchw: np.ndarray, labels: np.ndarray) -> float:
    name = session.signature.inputs[0].name
    scores = [next(iter(session.run({name: image[None]}).values())) for image in images_nchw]
    return float((np.concatenate(scores).argmax(axis=1) == labels).mean())
