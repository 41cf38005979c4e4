"""A device that answers with times made up by the test: what is searched is real, how long it takes is not."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.deploy.devices.agent_facts import facts
from condmix.deploy.devices.device import DeviceFacts, Say, silent
from condmix.deploy.measure.plan import BenchPlan
from condmix.deploy.tune.measuring import Machine
from condmix.exporters.tune.measured import Timed, TimedRun
from condmix.runtime.bench.engines import open_subject
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.timing import Bench
from condmix.runtime.cpu import CpuFacts
from condmix.runtime.errors import InferenceError
from condmix.runtime.signature import Tensor
from condmix.runtime.tflite_worker import Head

CPU = CpuFacts(
    architecture="x86_64",
    system="Linux",
    model_names=("a CPU",),
    features=("AVX2",),
    logical_cores=2,
    usable_cores=2,
    versions=(),
)
MACHINE = Machine(name="local", cpu=CPU, runtime="onnxruntime 9.9")
QUICK = BenchSettings(
    warmup_runs=0, warmup_seconds=0.0, minimum_runs=20, minimum_seconds=0.0, block=1, settling_runs=0, openings=1
)
Cost = Callable[[onnx.ModelProto], float]


class MadeUp:
    """In place of `Measuring`: ratios follow from what is in the files. asked: the files of every run."""

    def __init__(self, cost: Cost, *, spread: float = 0.01, floor: float = 0.02) -> None:
        self.cost, self.spread, self.floor = cost, spread, floor
        self.asked: list[tuple[str, ...]] = []
        self.failing: tuple[str, ...] = ()

    def machine(self, say: Say = silent) -> Machine:
        del say
        return MACHINE

    def facts(self) -> dict[str, object]:
        return {"threads": 1}

    def run(self, files: Mapping[str, bytes], settings: BenchSettings, say: Say = silent) -> TimedRun:
        del settings, say
        self.asked.append(tuple(files))
        costs = {name: self.cost(onnx.load_from_string(content)) for name, content in files.items()}
        first = next(iter(costs))
        timed = [Timed(name=first, ratio=1.0, low=None, high=None)]
        for name, cost in list(costs.items())[1:]:
            if name in self.failing:
                timed.append(Timed(name=name, ratio=None, low=None, high=None, failure="killed"))
                continue
            ratio = cost / costs[first]
            timed.append(Timed(name=name, ratio=ratio, low=ratio - self.spread, high=ratio + self.spread))
        return TimedRun(candidates=tuple(timed), noise_floor=self.floor, median_ms=costs[first])


def nodes_cost(**weights: float) -> Cost:
    """The sum of weights of a file's operators, 1 for one that is not named."""
    return lambda proto: sum(weights.get(node.op_type, 1.0) for node in proto.graph.node)


class HereWorker:
    """A worker without a process of its own: the engine is real, starting it costs nothing."""

    def __init__(self) -> None:
        self._bench = Bench(open_subject)

    def receive(self, *, timeout_seconds: float) -> tuple[Head, dict[str, Tensor]]:
        del timeout_seconds
        return {"kind": "ready", "memory_before_bytes": None}, {}

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        del timeout_seconds
        try:
            return self._bench.answer(dict(head), dict(arrays))
        except InferenceError as error:
            return {"kind": "failed", "reason": str(error)}, {}

    def close(self) -> None:
        return


class RealDevice:
    """A device that measures here, quickly, whatever settings were asked for."""

    def __init__(self, *, emulated: bool = False, interrupted: bool = False) -> None:
        self.emulated, self.interrupted = emulated, interrupted
        self.plans: list[BenchPlan] = []
        self.closed = False

    @property
    def name(self) -> str:
        return "board"

    def probe(self) -> DeviceFacts | None:
        return DeviceFacts.from_dict(facts(Path.cwd()))

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        del engines, say

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        del settings, stop, say
        self.plans.append(plan)
        report = run_bench(plan.subjects, QUICK, command=command, start=lambda _subject: HereWorker())
        before = dataclasses.replace(report.environment_before, emulated=self.emulated)
        interrupted = "by Ctrl-C" if self.interrupted else None
        return dataclasses.replace(report, environment_before=before, interrupted=interrupted)

    def clean(self) -> str:
        return ""

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def adding() -> Callable[[int], bytes]:
    """A file that adds so many times."""

    def make(times: int) -> bytes:
        nodes = [onnx.helper.make_node("Add", [f"v{n}", "one"], [f"v{n + 1}"]) for n in range(times)]
        graph = onnx.helper.make_graph(
            nodes,
            "g",
            [onnx.helper.make_tensor_value_info("v0", onnx.TensorProto.FLOAT, [1, 64])],
            [onnx.helper.make_tensor_value_info(f"v{times}", onnx.TensorProto.FLOAT, [1, 64])],
            [onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
        content: bytes = model.SerializeToString()
        return content

    return make
