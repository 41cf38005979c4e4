"""Runs one subject in a process of its own, for whoever holds its standard input and output.

Messages are those of `condmix.runtime.tflite_worker`. The worker begins with `ready`; then, each answered once:

    open    file, engine, threads, delegate            -> opened  signature, scales, engine_version, load_ns, memory
    start   warmup_runs, warmup_seconds; feeds [K, ...] -> started first_inference_ns, warmup_wall_ns; outputs [K, ...]
    check   feeds [K, ...]                              -> checked outputs [K, ...], beyond the clock
    turn    runs, first, settling_runs                  -> turned  start_ns, wall_ns, cpu_ns, each [runs]
    finish                                              -> finished peak_memory_bytes, delegate_coverage

Failures are answered by `failed` with the reason. The end of the input ends the process at once, even within a run.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
from typing import Any, BinaryIO

from condmix.runtime.bench.engines import open_subject as open_in_engine
from condmix.runtime.bench.memory import read_memory
from condmix.runtime.bench.timing import Bench, OpenSubject
from condmix.runtime.errors import InferenceError
from condmix.runtime.tflite_worker import Head, read_message, write_message


def serve(open_subject: OpenSubject, requests: BinaryIO, answers: BinaryIO) -> None:
    """Every request is answered; the process ends at the end of the requests, whatever it is doing then."""
    waiting: queue.SimpleQueue[tuple[Head, dict[str, Any]]] = queue.SimpleQueue()

    def read() -> None:
        while True:
            try:
                waiting.put(read_message(requests))
            except (EOFError, OSError):
                os._exit(0)  # the one who asked is gone: nobody is left to compute for

    ready = {"kind": "ready", "memory_before_bytes": read_memory().resident_bytes}
    write_message(answers, ready, {})
    threading.Thread(target=read, daemon=True).start()
    bench = Bench(open_subject)
    gc.disable()  # a collection within a run would be counted as the engine's
    while True:
        head, arrays = waiting.get()
        try:
            answer, outputs = bench.answer(head, arrays)
        except (InferenceError, RuntimeError, ValueError, TypeError, SystemError, MemoryError, OSError) as error:
            answer, outputs = {"kind": "failed", "reason": str(error) or type(error).__name__}, {}
        try:
            write_message(answers, answer, outputs)
        except OSError:
            os._exit(0)
        gc.collect()


def main(open_subject: OpenSubject = open_in_engine) -> None:
    """Requests come on standard input and answers go to the standard output until the input ends."""
    # The engine may print: only messages may reach the pipe of answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(open_subject, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
