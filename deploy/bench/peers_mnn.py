"""MNN's worker: from an ONNX file, float32 arithmetic."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from condmix.deploy.bench.peers_worker import Compute, Floats, main


def convert(source: Path, target: Path) -> None:
    """An .mnn file, as the converter of the package writes it with its defaults."""
    # What its command `mnnconvert` calls; the command itself then reports its use to the project's servers.
    tools = importlib.import_module("_tools")
    options = ["-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", "condmix"]
    tools.mnnconvert(["mnnconvert", *options])
    if not target.is_file():
        sys.exit("mnnconvert wrote no file")


def open_file(path: Path, threads: int, shape: tuple[int, ...]) -> Compute:
    """On the CPU; numThread is the number of threads, precision "high" is float32."""
    mnn = importlib.import_module("MNN")
    interpreter = mnn.Interpreter(str(path))
    session = interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    taken, given = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
    interpreter.resizeTensor(taken, shape)
    interpreter.resizeSession(session)
    caffe, kind = mnn.Tensor_DimensionType_Caffe, mnn.Halide_Type_Float
    logits_shape = given.getShape()

    def compute(image: Floats) -> Floats:
        taken.copyFrom(mnn.Tensor(shape, kind, image, caffe))
        interpreter.runSession(session)
        host = mnn.Tensor(logits_shape, kind, np.zeros(logits_shape, np.float32), caffe)
        given.copyToHostTensor(host)
        return np.array(host.getNumpyData(), np.float32).reshape(logits_shape)

    return compute


if __name__ == "__main__":
    main("MNN", convert, open_file)
