"""OpenVINO's worker: from an ONNX file, float32 arithmetic where the file has it, tuned for latency."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from condmix.deploy.bench.peers_worker import Compute, Floats, main


def convert(source: Path, target: Path) -> None:
    """An .xml with its weights beside it, uncompressed (the default would store them in float16)."""
    openvino = _openvino()
    openvino.save_model(openvino.convert_model(str(source)), str(target), compress_to_fp16=False)


def open_file(path: Path, threads: int, _shape: tuple[int, ...]) -> Compute:
    """On the CPU, one stream; INFERENCE_NUM_THREADS is the number of threads."""
    openvino = _openvino()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # a CPU with bfloat16 would otherwise round
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def compute(image: Floats) -> Floats:
        logits: Floats = request.infer({0: image}, share_inputs=True)[0]
        return logits

    return compute


def _openvino() -> Any:
    # As if it were not installed: importing OpenVINO would start a process that reports its use, and outlives this one.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


if __name__ == "__main__":
    main("openvino", convert, open_file)
