"""Running TFLite files in tflite-runtime 2.14, in a process and a package folder of its own.

It is the second opinion on a file, not the first: version 2.14 is wrong without a word on dynamic-range files with
per-channel dense weights or per-tensor depthwise weights. Compare its outputs with LiteRT's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from condmix.runtime.errors import (
    EnvironmentMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    describe_place,
)
from condmix.runtime.litert_signature import SignatureRunner, TensorDetails, read_signature
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.probe import TFLITE_MODEL, probe
from condmix.runtime.signature import Signature, Tensor
from condmix.runtime.tflite_environment import (
    ENGINE,
    find_python,
    install,
    install_line,
    missing_python,
    python_problem,
    site_problems,
)
from condmix.runtime.tflite_process import WorkerProcess
from condmix.runtime.tflite_worker import Head

START_SECONDS = 60.0


class TfliteRuntimeSession:
    """An open TFLite file with its worker process. Made by `TfliteRuntimeBackend.open`; a context manager."""

    def __init__(
        self,
        worker: WorkerProcess,
        description: Head,
        *,
        place: str,
        versions: Mapping[str, str],
        timeout_seconds: float,
    ) -> None:
        self._worker = worker
        self._place = place
        self._timeout_seconds = timeout_seconds
        self._versions = dict(versions)
        read = read_signature(_Description(description), place)
        self._signature = read.signature
        self._input_numbers = read.input_numbers
        self._output_numbers = read.output_numbers

    @property
    def signature(self) -> Signature:
        """What the file takes and gives, named and shaped as in a LiteRT session."""
        return self._signature

    @property
    def versions(self) -> dict[str, str]:
        """Of `python`, `numpy` and `tflite-runtime` in the worker."""
        return dict(self._versions)

    @property
    def process_number(self) -> int:
        """The system's number of the worker process."""
        return self._worker.process_number

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name.

        Raises SignatureMismatchError (all mismatches at once), or SessionFailedError when the engine gives up, its
        process dies or the time is over; after the latter two the session is of no more use.
        """
        self._signature.check(feeds)
        numbers = list(dict.fromkeys(self._output_numbers.values()))
        arrays = {str(number): feeds[name] for name, number in self._input_numbers.items()}
        head: Head = {"kind": "run", "outputs": numbers}
        try:
            answer, outputs = self._worker.ask(head, arrays, timeout_seconds=self._timeout_seconds)
        except WorkerEndedError as error:
            raise SessionFailedError(ENGINE, self._place, str(error)) from error
        if answer["kind"] == "failed":
            raise SessionFailedError(ENGINE, self._place, _one_line(answer))
        return {name: outputs[str(number)].copy() for name, number in self._output_numbers.items()}

    def close(self) -> None:
        """The worker process has ended."""
        self._worker.close()

    def __enter__(self) -> TfliteRuntimeSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class TfliteRuntimeBackend:
    """tflite-runtime in the package folder `site`. Conforms to `condmix.runtime.session.Backend`.

    python: the interpreter of the workers, 3.9 to 3.11; None takes the first that fits.
    timeout_seconds: for opening a file and for each run.
    """

    def __init__(self, site: Path, *, python: Path | None = None, timeout_seconds: float = 300.0) -> None:
        if timeout_seconds <= 0:
            problem = f"timeout_seconds must be above 0, found {timeout_seconds}"
            raise InvalidSettingError([problem], record="TfliteRuntimeBackend")
        self._site = site
        self._python = python
        self._timeout_seconds = timeout_seconds

    @property
    def name(self) -> str:
        """The engine's name in reports."""
        return ENGINE

    @property
    def site(self) -> Path:
        """The folder of its packages."""
        return self._site

    @property
    def install_line(self) -> str:
        """The command that makes the folder."""
        return install_line(self._site, self._python)

    def available(self) -> str | None:
        """None when a worker has started and added three numbers rightly, else what is missing."""
        return probe(self, TFLITE_MODEL)

    def open(self, model: Path | bytes, *, threads: int, delegate: bool = True) -> TfliteRuntimeSession:
        """A session on the model in a new worker process, computing on `threads` threads.

        delegate: offer the graph to XNNPACK, as the engine does by itself; False: its builtin kernels only.
        Raises InvalidSettingError, EnvironmentMissingError or ModelUnreadableError.
        """
        if threads < 1:
            raise InvalidSettingError([f"threads must be at least 1, found {threads}"], record="session")
        place = describe_place(model)
        head: Head = {"kind": "open", "threads": threads, "delegate": delegate}
        arrays: dict[str, Tensor] = {}
        if isinstance(model, bytes):
            arrays["model"] = np.frombuffer(model, np.uint8)
        else:
            head["path"] = str(model.absolute())
            if not model.is_file():
                reason = "it is a folder" if model.is_dir() else "there is no such file"
                raise ModelUnreadableError(place, reason, "Give the path of a .tflite file.")
        if (len(model) if isinstance(model, bytes) else model.stat().st_size) == 0:
            raise ModelUnreadableError(place, "it is empty", "Export the model again.")
        worker, versions = self._start()
        try:
            answer, _ = worker.ask(head, arrays, timeout_seconds=self._timeout_seconds)
        except WorkerEndedError as error:
            answer = {"kind": "failed", "reason": str(error)}
        try:
            if answer["kind"] == "failed":
                words = f"{ENGINE} {versions[ENGINE]} says: {_one_line(answer)}"
                next_step = "Check that it is a complete TFLite file whose operators and versions this engine knows."
                raise ModelUnreadableError(place, words, next_step)
            return TfliteRuntimeSession(
                worker, answer, place=place, versions=versions, timeout_seconds=self._timeout_seconds
            )
        except ModelUnreadableError:
            worker.close()
            raise

    def _start(self) -> tuple[WorkerProcess, dict[str, str]]:
        """A worker that has imported its engine. Raises EnvironmentMissingError with all that is missing."""
        python = self._python or find_python()
        wrong = missing_python() if python is None else python_problem(python)
        if python is None or wrong is not None:
            problems = [wrong or "", *site_problems(self._site)]
            raise EnvironmentMissingError(ENGINE, "; ".join(problems), install_line(self._site))
        if problems := list(site_problems(self._site)):
            raise EnvironmentMissingError(ENGINE, "; ".join(problems), install_line(self._site, python))
        try:
            worker = WorkerProcess(python, self._site)
            ready, _ = worker.receive(timeout_seconds=START_SECONDS)
        except WorkerEndedError as error:
            raise EnvironmentMissingError(ENGINE, str(error), self.install_line) from error
        return worker, ready["versions"]


def prepare(site: Path, python: Path | None = None, *, timeout_seconds: float = 900.0) -> TfliteRuntimeBackend:
    """The engine is in the folder `site` and has computed there; a folder that already works is left as it is.

    The packages come by pip (about 85 MB on disk) into a folder beside it, which gets its name only when a worker
    in it has added three numbers rightly.

    Raises InvalidSettingError for a folder that holds something else, EnvironmentMissingError for what failed.
    """
    found = python or find_python()
    if found is None:
        raise EnvironmentMissingError(ENGINE, missing_python(), install_line(site))
    if (problem := python_problem(found)) is not None:
        raise EnvironmentMissingError(ENGINE, problem, install_line(site, found))
    backend = TfliteRuntimeBackend(site, python=found)
    if site.exists():
        if (reason := backend.available()) is None:
            return backend
        if not site.is_dir() or any(site.iterdir()):
            problems = [f"{str(site)!r} exists and does not work: {reason}", "remove it, or name another folder"]
            raise InvalidSettingError(problems, record="the environment of tflite-runtime")
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent, prefix=f".{site.name}-") as place:
        unfinished = Path(place) / "site"
        install(unfinished, found, timeout_seconds=timeout_seconds)
        if (reason := TfliteRuntimeBackend(unfinished, python=found).available()) is not None:
            raise EnvironmentMissingError(ENGINE, f"it was installed but does not work: {reason}", backend.install_line)
        if site.is_dir():
            site.rmdir()  # it is empty
        unfinished.rename(site)
    return backend


class _Description:
    """What the worker said of its interpreter, in the form in which a LiteRT interpreter says it."""

    def __init__(self, description: Head) -> None:
        self._description = description

    def get_input_details(self) -> list[TensorDetails]:
        return [_details(one) for one in self._description["inputs"]]

    def get_output_details(self) -> list[TensorDetails]:
        return [_details(one) for one in self._description["outputs"]]

    def get_signature_list(self) -> dict[str, object]:
        return dict(self._description["signatures"])

    def get_signature_runner(self, signature_key: str) -> SignatureRunner:
        return _Runner(self._description["signatures"][signature_key])


class _Runner:
    def __init__(self, signature: Head) -> None:
        self._signature = signature
        self._subgraph_index: int = signature["subgraph"]

    def get_input_details(self) -> dict[str, TensorDetails]:
        return {name: _details(one) for name, one in self._signature["inputs"].items()}

    def get_output_details(self) -> dict[str, TensorDetails]:
        return {name: _details(one) for name, one in self._signature["outputs"].items()}


def _details(one: Head) -> TensorDetails:
    return TensorDetails(
        name=one["name"],
        index=one["index"],
        shape=np.array(one["shape"], np.int32),
        dtype=np.dtype(one["dtype"]).type,
    )


def _one_line(answer: Head) -> str:
    return " ".join(str(answer["reason"]).split()).rstrip(".")


if TYPE_CHECKING:
    from condmix.runtime.session import Backend

    _conforms: Backend = TfliteRuntimeBackend(Path())
