"""The int8 files of one trained network whose accuracy is compared: ours as the product writes them, and others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from condmix.deploy.bench.errors import ConverterFailedError, WrongAnswerError
from condmix.deploy.bench.litert_environment import convert, quantize
from condmix.deploy.compare.stock import stock_int8, stock_int8_as_it_comes, stock_onnx
from condmix.deploy.format_choices import FORMATS, ONNX, TFLITE, FormatFlags, choose_formats
from condmix.deploy.int8.flags import Int8Flags
from condmix.deploy.int8.pipeline import run as run_int8
from condmix.deploy.int8.plan import plan_int8
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.pipeline import run as run_float
from condmix.deploy.plan import Plan
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.options import DEFAULT_OPSET
from condmix.models.network import TorchNetwork
from condmix.runtime.errors import one_line

ONNX_INT8, TFLITE_INT8 = "condmix, ONNX int8", "condmix, TFLite int8"
ONNX_BANKS, TFLITE_BANKS = "condmix, ONNX int8 experts", "condmix, TFLite int8 experts"
STATIC, STATIC_CHANNELS = "quantize_static on stock ONNX", "quantize_static on stock ONNX, a scale a channel"
QUANTIZER = "ai-edge-quantizer on litert-torch's file"
COMMAND = ("python", "-m", "condmix.deploy.bench.accuracy")

ReportProgress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class AccuracyFile:
    """One int8 file; without content where there is none, with the reason.

    layout: of its input. remark: what is to be known of it: why there is none, or that its own proof failed.
    versions: of tools that wrote it in an environment of their own.
    """

    name: str
    format: str
    content: bytes | None
    layout: str = "nchw"
    remark: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def our_files(
    checkpoint: Path, images: Path, folder: Path, *, conditional: bool, report_progress: ReportProgress
) -> tuple[list[AccuracyFile], int]:
    """Our int8 files, calibrated on all of `images` (.npy), everything else at its default; and the float32 bytes.

    conditional: the network has CondConv, so there are files with int8 expert banks and float arithmetic too. A file
    that fails its own proof is measured as it is, and says so. Raises what exports raise, and WrongAnswerError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_int8(
        Loading(model=checkpoint),
        folder / f"{checkpoint.stem}_int8.onnx",
        FORMATS,
        Int8Flags(calib=str(images), calib_samples=len(np.load(images, mmap_mode="r"))),
        batch=1,
        opset=DEFAULT_OPSET,
        layout="nhwc",
        overwrite=True,
        command_line=COMMAND,
    )
    outcome = run_int8(plan, report_progress)
    if not outcome.files:
        raise WrongAnswerError(checkpoint.stem, ("its float graph does not compute what PyTorch computes",))
    names = {ONNX: ONNX_INT8, TFLITE: TFLITE_INT8}
    files = [
        _written(names[str(file.artifact.format)], file.artifact.path, file.layout, passed=file.passed)
        for file in outcome.files
    ]
    if conditional:
        files += _bank_files(checkpoint, folder, report_progress)
    return files, outcome.files[0].float_size_bytes


def _bank_files(checkpoint: Path, folder: Path, report_progress: ReportProgress) -> list[AccuracyFile]:
    choices = choose_formats(FORMATS, FormatFlags(opset=DEFAULT_OPSET, experts="int8"))
    target = folder / f"{checkpoint.stem}_int8experts.onnx"
    plan = Plan(
        loading=Loading(model=checkpoint),
        output=output_names(checkpoint, target, choices),
        choices=choices,
        tolerances=tolerances_for(choices, None),
        images=None,
        overwrite=True,
        command_line=COMMAND,
    )
    names = {ONNX: ONNX_BANKS, TFLITE: TFLITE_BANKS}
    return [
        _written(names[str(file.artifact.format)], file.artifact.path, file.layout.lower(), passed=file.passed)
        for file in run_float(plan, report_progress).files
    ]


def _written(name: str, path: Path, layout: str, *, passed: bool) -> AccuracyFile:
    remark = "" if passed else "rejected by its own proof"
    return AccuracyFile(
        name=name,
        format=ONNX if path.suffix == ".onnx" else TFLITE,
        content=path.read_bytes(),
        layout=layout,
        remark=remark,
    )


def stock_files(
    network: TorchNetwork, calibration_nchw: np.ndarray, report_progress: ReportProgress
) -> list[AccuracyFile]:
    """What onnxruntime's quantize_static makes of torch.onnx.export's file: as it comes, and with a scale a channel."""
    report_progress("torch.onnx.export")
    stock = stock_onnx(network.module, network.input_size)
    files = []
    for name, make in ((STATIC, stock_int8_as_it_comes), (STATIC_CHANNELS, stock_int8)):
        report_progress(name)
        try:
            content = make(stock, calibration_nchw)
        except Exception as error:  # noqa: BLE001 - its refusals are of many kinds, and a result
            files.append(AccuracyFile(name=name, format=ONNX, content=None, remark=one_line(error)))
        else:
            files.append(AccuracyFile(name=name, format=ONNX, content=content))
    return files


def litert_file(
    python: Path | None,
    name: str,
    network: TorchNetwork,
    calibration_nchw: np.ndarray,
    report_progress: ReportProgress,
) -> AccuracyFile:
    """ai-edge-quantizer's static int8 of litert-torch's file; python: of their environment, None without one."""
    if python is None:
        reason = "not run: no environment with litert-torch (--litert-environment)"
        return AccuracyFile(name=QUANTIZER, format=TFLITE, content=None, remark=reason)
    channels, height, _ = network.input_size
    try:
        report_progress("litert-torch")
        exact = convert(python, name, network.module, height, channels=channels)
        report_progress("ai-edge-quantizer")
        rounded = quantize(python, name, exact.content, calibration_nchw)
    except ConverterFailedError as error:
        return AccuracyFile(name=QUANTIZER, format=TFLITE, content=None, remark=error.last_line)
    versions = {**exact.versions, **rounded.versions}
    return AccuracyFile(name=QUANTIZER, format=TFLITE, content=rounded.content, versions=versions)
