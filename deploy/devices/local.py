"""This machine: every file in worker processes of their own, nothing is brought anywhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from condmix.deploy.devices.agent_facts import facts
from condmix.deploy.devices.device import DeviceFacts, Say, silent
from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.measure.plan import BenchPlan
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import Progress, run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import ONNXRUNTIME
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from condmix.runtime.probe import ONNX_MODEL, TFLITE_MODEL, probe


class LocalDevice:
    """A `Device` (device.py) without any way to it."""

    def __init__(self, name: str = "local") -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Under which it is spoken of."""
        return self._name

    def probe(self) -> DeviceFacts:
        """What it is."""
        return DeviceFacts.from_dict(facts(Path.cwd()))

    def prepare(self, engines: Sequence[str], say: Say = silent) -> None:
        """Every engine has computed something small. Raises DeviceError with all that cannot."""
        say(f"{self._name}: a small inference")
        reasons = [
            probe(OnnxRuntimeBackend(), ONNX_MODEL) if engine == ONNXRUNTIME else probe(LiteRtBackend(), TFLITE_MODEL)
            for engine in engines
        ]
        if found := [reason.rstrip(".") for reason in reasons if reason is not None]:
            next_step = "Install what is missing into the environment of condmix."
            raise DeviceError(self._name, "small inference", "; ".join(found), next_step)

    def run(
        self,
        plan: BenchPlan,
        settings: BenchSettings,
        *,
        command: Sequence[str] = (),
        say: Say = silent,
        stop: threading.Event | None = None,
    ) -> BenchReport:
        """The report of this machine; Ctrl-C or `stop` ends it early with what it has."""

        def tell(progress: Progress) -> None:
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt  # which run_bench takes for one
            say(f"{self._name}: {progress.sentence()}")

        return run_bench(
            plan.subjects,
            settings,
            inputs=plan.inputs,
            references=plan.references,
            report_progress=tell,
            command=command,
            start=plan.start,
        )

    def clean(self) -> str:
        """Nothing was brought here, so nothing is removed."""
        return f"{self._name}: nothing to remove"

    def close(self) -> None:
        """There is no session."""
