"""What the worker of every peer is made of; runs in the peer's environment, which has numpy and not much else of ours.

A worker module gives two functions, and is started in one of two ways:

    ... MODULE convert SOURCE TARGET REPORT.json     writes TARGET; the report says what it took, and the versions
    ... MODULE serve                                 answers timed runs over its pipes, as condmix.runtime.bench.worker
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from condmix.runtime.bench.timing import Opened
from condmix.runtime.bench.worker import main as serve
from condmix.runtime.signature import Signature, Tensor, TensorSpec
from condmix.runtime.tflite_worker import Head

INPUT, OUTPUT = "images", "logits"
Floats = npt.NDArray[np.float32]
Compute = Callable[[Floats], Floats]
Convert = Callable[[Path, Path], None]
OpenFile = Callable[[Path, int, tuple[int, ...]], Compute]
"""(file, threads, shape of the image) -> one run, with that many threads and no more."""


@dataclass(frozen=True, kw_only=True)
class PeerSession:
    """A peer's file as the timed loop wants it: one image in, the logits out."""

    signature: Signature
    compute: Compute

    def run_checked(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The logits of an image that fits."""
        return {OUTPUT: self.compute(feeds[INPUT])}  # type: ignore[arg-type]  # float32: the signature says so


def opener(package: str, open_file: OpenFile) -> Callable[[Head], Opened]:
    """What opens the file of an `open` request, whose `shape` is that of one image with its batch axis."""

    def open_subject(head: Head) -> Opened:
        shape = tuple(head["shape"])
        start = time.perf_counter_ns()
        compute = open_file(Path(head["file"]), head["threads"], shape)
        load_ns = time.perf_counter_ns() - start
        signature = Signature(
            inputs=(TensorSpec(name=INPUT, shape=shape, dtype="float32"),),
            outputs=(TensorSpec(name=OUTPUT, shape=(1, "classes"), dtype="float32"),),
        )
        session = PeerSession(signature=signature, compute=compute)
        return Opened(session=session, engine_version=importlib.metadata.version(package), load_ns=load_ns)

    return open_subject


def run_conversion(package: str, convert: Convert, arguments: Sequence[str]) -> None:
    """TARGET is written, and REPORT with wall and CPU seconds; importing the tool is in it."""
    source, target, report = map(Path, arguments)
    wall_start, cpu_start = time.perf_counter(), _cpu_seconds()
    convert(source, target)
    data = {
        "wall_seconds": time.perf_counter() - wall_start,
        "cpu_seconds": _cpu_seconds() - cpu_start,
        "versions": {package: importlib.metadata.version(package)},
    }
    report.write_text(json.dumps(data))


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def main(package: str, convert: Convert, open_file: OpenFile | None) -> None:
    """What the command line asks for; open_file is None for a peer that only writes files."""
    mode, *arguments = sys.argv[1:]
    if mode == "convert":
        run_conversion(package, convert, arguments)
    elif mode == "serve" and open_file is not None:
        serve(opener(package, open_file))
    else:
        sys.exit(f"expected convert or serve, found {mode!r}")
