"""What may be typed after --scheduler, and that Dask is only needed where it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import click
import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.evaluate.errors import DaskMissingError
from condmix.deploy.evaluate.flow import EvalPlan
from condmix.deploy.evaluate.scheduler import Scheduler, SchedulerText, usable_cores
from condmix.deploy.exit_codes import ExitCode, code_of


@pytest.mark.parametrize(
    "text", ["serial", "local", "tcp://127.0.0.1:8786", "tcp://node-1.cluster:80", "tcp://[::1]:8786"]
)
def test_what_is_taken(text: str) -> None:
    assert SchedulerText().convert(text, None, None) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seriel", "did you mean 'serial'?"),
        ("tcp://host", "valid: serial, local, tcp://HOST:PORT"),
        ("tcp://host:0", "is not a scheduler"),
        ("tcp://host:70000", "is not a scheduler"),
        ("tls://host:8786", "is not a scheduler"),
        ("tcp://ho st:1", "is not a scheduler"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        SchedulerText().convert(text, None, None)


def test_workers_are_those_of_a_local_cluster() -> None:
    assert Scheduler(name="local", workers=2).workers == 2
    for name in ("serial", "tcp://a:1"):
        with pytest.raises(PlanError, match=f"--workers is about a local cluster, and --scheduler is {name}"):
            Scheduler(name=name, workers=2)
    assert Scheduler(name="tcp://a:1").is_remote
    assert not Scheduler(name="serial").is_remote
    assert usable_cores() >= 1


def test_serial_does_without_dask(plan: EvalPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> ModuleType:
        if name.partition(".")[0] in ("dask", "distributed"):
            message = f"No module named {name!r}"
            raise ModuleNotFoundError(message)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    Scheduler(name="serial").require_packages()
    with Scheduler(name="serial").executor(plan.job, ranges=1) as executor:
        assert executor.words == "serial, in one process"
    with pytest.raises(DaskMissingError) as caught:
        Scheduler(name="local").require_packages()
    assert 'pip install "condmix[eval]", or add --scheduler serial' in str(caught.value)
    assert code_of(caught.value) is ExitCode.MISSING


def test_a_worker_loads_neither_torch_nor_onnx() -> None:
    program = (
        "import sys\n"
        "import condmix.deploy.commands.root\n"
        "names = ('dask', 'distributed', 'torch', 'onnx', 'onnxruntime', 'sklearn', 'PIL')\n"
        "print([name for name in names if name in sys.modules])\n"
        "import condmix.deploy.evaluate.dask_cluster\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "['dask', 'distributed', 'PIL']"]
