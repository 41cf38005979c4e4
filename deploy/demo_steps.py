"""The steps of the demonstration: train one network, export it, and compare file and network on digits and clock."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from condmix.deploy.digits_training import TrainedNetwork, train_digits
from condmix.deploy.format_choices import ONNX, FormatFlags, choose_formats
from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.int8.pipeline import run as run_int8
from condmix.deploy.int8.plan import plan_int8
from condmix.deploy.int8.record import Int8Outcome
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.pipeline import run
from condmix.deploy.plan import Plan
from condmix.deploy.record import ExportOutcome, FileOutcome
from condmix.deploy.sizes import file_size
from condmix.deploy.tolerances import tolerances_for
from condmix.deploy.torch_threads import one_torch_thread
from condmix.exporters.options import DEFAULT_OPSET
from condmix.exporters.verify.tflite import in_layout
from condmix.models import digits
from condmix.models.epochs import TrainingProgress
from condmix.models.training import TrainingSettings
from condmix.runtime.latency import measure
from condmix.runtime.latency_report import Clock, LatencyReport, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.session import Session

LATENCY = LatencySettings(warmup_runs=10, minimum_runs=100, minimum_seconds=0.5, block=5, seed=0)
PYTORCH = "PyTorch"
MAX_DROP = 0.01
"""Of the held-out digits, how many more int8 may get wrong before layers go back into float."""


@dataclass(frozen=True, kw_only=True)
class DemoFile:
    """One exported file. proof: how near it is to the float network, in a few words."""

    path: Path
    format: str
    layout: str
    size_bytes: int
    proof: str


@dataclass(frozen=True, kw_only=True)
class DemoRow:
    """One exported file, and what was measured on it in this run. latency: all files of one network together."""

    trained: TrainedNetwork
    batch: int | None
    file: DemoFile
    accuracy: float
    latency: LatencyReport

    def cells(self) -> tuple[str, ...]:
        """The columns of the summary table."""
        names = PYTORCH, self.file.path.name
        pytorch_ms, file_ms = (self.latency.candidate(name).median_ns(Clock.WALL) / 1e6 for name in names)
        return (
            self.trained.architecture,
            "any" if self.batch is None else str(self.batch),
            f"{self.trained.result.held_out_accuracy:.2%}",
            f"{self.accuracy:.2%}",
            self.file.path.name,
            file_size(self.file.size_bytes),
            self.file.proof,
            f"{pytorch_ms:.3f}",
            f"{file_ms:.3f}",
            self.ratio_text(),
        )

    def ratio_text(self) -> str:
        """The file's time over PyTorch's, or that no difference could be measured."""
        ratio = self.latency.ratio(self.file.path.name, PYTORCH, Clock.WALL)
        if ratio.ratio is None or not self.latency.is_different(ratio):
            return "no measurable difference"
        return f"{ratio.ratio:.2f}"


def float_files(outcome: ExportOutcome) -> list[DemoFile]:
    """The files of a float export; proof: the largest error in any way a file was run, of the largest output."""
    return [
        DemoFile(
            path=file.artifact.path,
            format=str(file.artifact.format),
            layout=file.layout.lower(),
            size_bytes=file.artifact.size_bytes,
            proof=_parity_text(file),
        )
        for file in outcome.files
    ]


def int8_files(outcome: Int8Outcome) -> list[DemoFile]:
    """The files of an int8 export; proof: signal to noise against the float network."""
    return [
        DemoFile(
            path=file.artifact.path,
            format=str(file.artifact.format),
            layout=file.layout.lower(),
            size_bytes=file.artifact.size_bytes,
            proof=f"SQNR {file.verification.agreement[0].sqnr_db_median:.1f} dB",
        )
        for file in outcome.files
    ]


def _parity_text(file: FileOutcome) -> str:
    stages = file.verification.stages
    reports = [item.report.worst_output for item in stages if item.stage == stages[-1].stage]
    errors = [worst.worst.relative for worst in reports if worst is not None and worst.worst is not None]
    return f"max|d| {max(errors):.1e}" if errors else ""


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
    weights: Path,
    target: Path,
    formats: Sequence[str],
    batch: int | None,
    report_progress: Callable[[str], None],
) -> ExportOutcome:
    """The weights are exported to `target` (and beside it) with every check. Raises what `pipeline.run` raises."""
    choices = choose_formats(formats, FormatFlags(batch=batch, opset=DEFAULT_OPSET))
    plan = Plan(
        loading=Loading(model=weights),
        output=output_names(weights, target, choices),
        choices=choices,
        tolerances=tolerances_for(choices, None),
        images=None,
        overwrite=True,
        command_line=("python", "-m", "condmix.deploy.demo"),
    )
    return run(plan, report_progress)


def save_digits(folder: Path) -> tuple[Path, Path]:
    """The digits as files: those that were trained on, for calibration, and the labelled ones that were held out."""
    data = digits.load()
    training, held_out = folder / "digits-train.npy", folder / "digits-held-out.npz"
    np.save(training, data.train_images)
    np.savez(held_out, images=data.held_out_images, labels=data.held_out_labels)
    return training, held_out


def held_out_count() -> int:
    """How many digits an accuracy is over."""
    return len(digits.load().held_out_labels)


def export_trained_int8(
    weights: Path,
    target: Path,
    formats: Sequence[str],
    calibration: Path,
    labelled: Path,
    report_progress: Callable[[str], None],
) -> Int8Outcome:
    """The weights are exported in int8 to `target` (and beside it). Raises what the int8 `pipeline.run` raises."""
    plan = plan_int8(
        Loading(model=weights),
        target,
        formats,
        Int8Flags(calib=str(calibration), evaluate=str(labelled), max_drop=MAX_DROP),
        batch=1,
        opset=DEFAULT_OPSET,
        layout="nhwc",
        overwrite=True,
        command_line=("python", "-m", "condmix.deploy.demo"),
    )
    return run_int8(plan, report_progress)


def measure_files(
    trained: TrainedNetwork, module: torch.nn.Module, batch: int | None, files: Sequence[DemoFile]
) -> list[DemoRow]:
    """Each file's own accuracy on the held-out digits, and its time beside PyTorch's, one image and one thread.

    All are timed in turns in shuffled rounds, so that none gets the quiet minute.
    """
    data = digits.load()
    runs = {file.path.name: _opened(file) for file in files}
    with one_torch_thread():
        latency = _latency(runs, module, data.held_out_images[:1])
    return [
        DemoRow(
            trained=trained,
            batch=batch,
            file=file,
            accuracy=_accuracy(runs[file.path.name], data.held_out_images, data.held_out_labels),
            latency=latency,
        )
        for file in files
    ]


Run = Callable[[np.ndarray], np.ndarray]
"""From images (1, channels, height, width) to scores."""


def _opened(file: DemoFile) -> Run:
    """The file in its engine, one thread."""
    backend = OnnxRuntimeBackend() if file.format == ONNX else LiteRtBackend()
    session: Session = backend.open(file.path, threads=1)
    name = session.signature.inputs[0].name
    return lambda image_nchw: next(iter(session.run({name: in_layout(image_nchw, file.layout)}).values()))


def _latency(runs: Mapping[str, Run], module: torch.nn.Module, image_nchw: np.ndarray) -> LatencyReport:
    tensor = torch.from_numpy(image_nchw)

    def run_pytorch() -> object:
        with torch.inference_mode():
            return module(tensor)

    candidates: dict[str, Callable[[], object]] = {PYTORCH: run_pytorch}
    candidates |= {name: functools.partial(run_file, image_nchw) for name, run_file in runs.items()}
    return measure(candidates, settings=LATENCY)


def _accuracy(run_file: Run, images_nchw: np.ndarray, labels: np.ndarray) -> float:
    scores = [run_file(image[None]) for image in images_nchw]
    return float((np.concatenate(scores).argmax(axis=1) == labels).mean())
