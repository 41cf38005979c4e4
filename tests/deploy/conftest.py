"""The command line run in this process, tiny networks as weights files, and one real export to start from."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from condmix.deploy import pipeline, verified_file
from condmix.deploy.cli import run
from condmix.deploy.loading import Loading, load_network
from condmix.deploy.metadata import metadata_of, tflite_metadata_of
from condmix.exporters.build import Build, build_from
from condmix.exporters.capture import Captured, capture
from condmix.exporters.finish import IR_VERSION
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.build import TfliteBuild, build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import Blame, Verification
from condmix.exporters.verify.tflite import verify_tflite
from condmix.exporters.verify.verify import verify_onnx
from condmix.models import checkpoint, digits, zoo
from condmix.models.digits import CLASS_NAMES, PREPROCESSING
from condmix.models.network import LoadedNetwork
from condmix.runtime.parity_report import ParityReport
from condmix.runtime.tolerance import Tolerance

SETTINGS = {"width": 0.5, "experts": 2}
FLOAT32 = Tolerance.for_precision("float32")
FLOAT32_TFLITE = Tolerance.for_precision("float32_tflite")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def condmix(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `condmix ARGUMENTS`; no traceback may ever be seen, but for --verbose."""

    def invoke(*arguments: object, program: str = "condmix") -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments], program=program)
        captured = capsys.readouterr()
        if "--verbose" not in arguments:
            assert "Traceback" not in captured.out + captured.err
        return Ran(code=int(code), out=captured.out, err=captured.err)

    return invoke


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CondConv network in a checkpoint of ours. Do not write beside it."""
    path = tmp_path_factory.mktemp("weights") / "small.pt"
    torch.manual_seed(0)
    checkpoint.save(
        path,
        zoo.build("condconv_digits", SETTINGS),
        architecture="condconv_digits",
        settings=SETTINGS,
        input_size=(1, 32, 32),
        preprocessing=PREPROCESSING,
        class_names=CLASS_NAMES,
    )
    return path


@pytest.fixture(scope="session")
def network(weights: Path) -> LoadedNetwork:
    """The network in `weights`."""
    return load_network(Loading(model=weights))


@pytest.fixture(scope="session")
def captured(network: LoadedNetwork) -> Captured:
    """Its graph. Captured once: that takes seconds."""
    return capture(network.module, network.input_size)


@pytest.fixture(scope="session")
def built(network: LoadedNetwork, captured: Captured) -> Build:
    """Its graphs at batch 1."""
    options = ExportOptions()
    return build_from(captured, options, metadata_of(network, options, FLOAT32, IR_VERSION), _silent)


@pytest.fixture(scope="session")
def tflite_built(network: LoadedNetwork, captured: Captured) -> TfliteBuild:
    """The same as TFLite."""
    options = TfliteOptions()
    return build_tflite(captured, options, tflite_metadata_of(network, options, FLOAT32_TFLITE), _silent)


@pytest.fixture(scope="session")
def evidence(built: Build, network: LoadedNetwork) -> Evidence:
    """What every file of it is compared with."""
    return gather(built, network.module, network.input_size, batch=1, images=None, report_progress=_silent)


@pytest.fixture(scope="session")
def verified(built: Build, evidence: Evidence) -> Verification:
    """The proof of these graphs."""
    return verify_onnx(built, evidence, batch=1, tolerance=FLOAT32, report_progress=_silent)


@pytest.fixture(scope="session")
def tflite_verified(tflite_built: TfliteBuild, evidence: Evidence) -> Verification:
    """The proof of the TFLite file."""
    return verify_tflite(
        tflite_built, evidence, batch=1, tolerance=FLOAT32_TFLITE, shared_tolerance=FLOAT32, report_progress=_silent
    )


@pytest.fixture
def graph_given(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of `weights` start from its graph; images are chosen and all that follows is done for each."""
    monkeypatch.setattr("condmix.exporters.capture.capture", lambda *_arguments: captured)


@pytest.fixture
def captured_once(graph_given: None, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of `weights` start from its graph and its evidence; what follows is done for each."""
    del graph_given
    monkeypatch.setattr(pipeline, "gather", lambda *_arguments, **_options: evidence)


@pytest.fixture
def quick(
    captured_once: None,
    built: Build,
    tflite_built: TfliteBuild,
    verified: Verification,
    tflite_verified: Verification,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exports of `weights` take the files and the proofs made once; for tests of everything around them."""
    del captured_once
    monkeypatch.setattr(pipeline, "build_from", lambda *_arguments: built)
    monkeypatch.setattr(pipeline, "build_tflite", lambda *_arguments: tflite_built)
    monkeypatch.setattr(verified_file, "verify_onnx", lambda *_arguments, **_options: verified)
    monkeypatch.setattr(verified_file, "verify_tflite", lambda *_arguments, **_options: tflite_verified)


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training sees five batches of digits and all held-out ones: enough for a network that loads and answers."""
    monkeypatch.setattr(digits, "load", _few_digits)


_all_digits = digits.load


@functools.cache
def _few_digits(**choices: Any) -> digits.ImageData:
    data = _all_digits(**choices)
    return dataclasses.replace(data, train_images=data.train_images[:320], train_labels=data.train_labels[:320])


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, empty: whether tflite-runtime is prepared must not depend on the machine."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes a module of a user's own into the working directory and gives its name."""
    monkeypatch.chdir(tmp_path)
    written: list[str] = []

    def write(text: str) -> str:
        name = f"networks_of_a_user_{len(written)}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def failing(verified: Verification) -> Verification:
    """The same proof with a last stage that lies outside on one thread, and a module to blame."""
    broken = _beyond_limit(verified.final)
    first = next(item for item in verified.stages if item.stage == verified.stages[-1].stage)
    stages = tuple(dataclasses.replace(item, report=broken) if item is first else item for item in verified.stages)
    blame = Blame(stage=first.stage, module_path="blocks.2", value_name="v", report=broken)
    return dataclasses.replace(verified, stages=stages, blame=blame)


def _silent(_stage: str) -> None:
    return


def _beyond_limit(report: ParityReport) -> ParityReport:
    output = report.outputs[0]
    assert output.worst is not None
    worst = dataclasses.replace(output.worst, absolute=output.worst.limit_absolute * 100)
    return dataclasses.replace(report, outputs=(dataclasses.replace(output, worst=worst, share_outside=0.5),))


def files_in(folder: Path) -> set[str]:
    """Every name in the folder, hidden ones too: nothing half-written may be among them."""
    return {entry.name for entry in folder.iterdir()}
