"""ExecuTorch's worker: from a saved `torch.export` program, lowered to XNNPACK as far as that takes it."""

from __future__ import annotations

import importlib
from pathlib import Path

from condmix.deploy.bench.peers_worker import Compute, Floats, main


def convert(source: Path, target: Path) -> None:
    """A .pte file by the steps that the project documents for CPUs."""
    torch = importlib.import_module("torch")
    exir = importlib.import_module("executorch.exir")
    xnnpack = importlib.import_module("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    program = torch.export.load(source)
    edge = exir.to_edge_transform_and_lower(program, partitioner=[xnnpack.XnnpackPartitioner()])
    target.write_bytes(edge.to_executorch().buffer)


def open_file(path: Path, threads: int, _shape: tuple[int, ...]) -> Compute:
    """The pool of threads is made anew with that many; it is of the whole process."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    lib = importlib.import_module("executorch.extension.pybindings.portable_lib")
    lib._unsafe_reset_threadpool(threads)
    if (found := lib._threadpool_get_thread_count()) != threads:
        text = f"its pool has {found} threads instead of {threads}"
        raise RuntimeError(text)
    method = importlib.import_module("executorch.runtime").Runtime.get().load_program(path).load_method("forward")

    def compute(image: Floats) -> Floats:
        logits: Floats = method.execute((torch.from_numpy(image),))[0].numpy()
        return logits

    return compute


if __name__ == "__main__":
    main("executorch", convert, open_file)
