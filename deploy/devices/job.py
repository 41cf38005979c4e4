"""The job on the device: a small inference of each engine, or a measurement; its input's end is its own.

This file is sent to the device, where condmix.runtime and numpy lie beside it and nothing else of condmix does.
    python job.py try ENGINE...             nothing, or the reasons on the standard error and exit code 8
    python job.py measure JOB ANSWER        the report of the job at ANSWER; one line for each stage on the way
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import numpy as np

from condmix.runtime.bench.inputs import Inputs
from condmix.runtime.bench.reference import read_reference
from condmix.runtime.bench.run import Progress, run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import ONNXRUNTIME, BenchSubject
from condmix.runtime.errors import InferenceError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.probe import ONNX_MODEL, TFLITE_MODEL, probe

OK, NOT_UNDERSTOOD, MISSING = 0, 3, 8


def try_engines(engines: list[str]) -> int:
    """An import proves little: every engine adds two vectors."""
    reasons = [
        probe(OnnxRuntimeBackend(), ONNX_MODEL) if engine == ONNXRUNTIME else probe(LiteRtBackend(), TFLITE_MODEL)
        for engine in engines
    ]
    sys.stderr.write("".join(f"{reason}\n" for reason in reasons if reason is not None))
    return MISSING if any(reasons) else OK


def measure(job: Path, answer: Path) -> int:
    """The report is at `answer`."""
    asked = json.loads(job.read_text(encoding="utf-8"))
    subjects = [BenchSubject.from_dict(one["subject"]) for one in asked["subjects"]]
    references = {
        subject.name: read_reference(Path(one["reference"]))
        for subject, one in zip(subjects, asked["subjects"], strict=True)
        if one["reference"] is not None
    }
    inputs: Inputs = {
        subject.name: dict(np.load(one["inputs"], allow_pickle=False))
        for subject, one in zip(subjects, asked["subjects"], strict=True)
        if one["inputs"] is not None
    }
    report = run_bench(
        subjects,
        BenchSettings.from_dict(asked["settings"]),
        inputs=inputs,
        references=references,
        report_progress=_say,
        command=asked["command"],
        condmix_version=asked["condmix_version"],
    )
    partial = answer.with_name(answer.name + ".partial")
    partial.write_text(json.dumps(report.to_dict(), allow_nan=False), encoding="utf-8")
    partial.replace(answer)
    return OK


def _say(progress: Progress) -> None:
    sys.stdout.write(progress.sentence() + "\n")
    sys.stdout.flush()


def _end_with_input() -> None:
    """Whoever started this is gone, the link with it: no file remains; the workers end as they lose this process."""
    while os.read(0, 1024):
        pass
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    os._exit(1)


def main(arguments: list[str]) -> int:
    """The exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever was inherited
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        if arguments[0] == "try":
            return try_engines(arguments[1:])
        return measure(Path(arguments[1]), Path(arguments[2]))
    except (InferenceError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_UNDERSTOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
