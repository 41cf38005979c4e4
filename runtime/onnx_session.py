"""Running ONNX files in ONNX Runtime on the CPU.

The engine is imported when a file is opened, never with this module. Nothing process-wide is set: the log
level, the threads and the optimisation belong to one session. The engine's telemetry is off, unless the user's
environment decides about it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from condmix.runtime.errors import (
    EngineMissingError,
    InvalidSettingError,
    ModelUnreadableError,
    SessionFailedError,
    describe_place,
    one_line,
)
from condmix.runtime.image_size import with_usual_size
from condmix.runtime.machine_file import require_this_machine
from condmix.runtime.signature import Signature, Tensor, TensorSpec

ENGINE = "onnxruntime"
TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
_LOG_FATAL_ONLY = 4  # our own errors carry the engine's text; its log would print it a second time

# ONNX Runtime's names for its element types; whatever is not here has no plain numpy array.
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int16)": "int16",
    "tensor(uint16)": "uint16",
    "tensor(int32)": "int32",
    "tensor(uint32)": "uint32",
    "tensor(int64)": "int64",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}


class Optimization(StrEnum):
    """How far ONNX Runtime may rewrite the graph before running it; values name its own levels."""

    NONE = "ORT_DISABLE_ALL"
    BASIC = "ORT_ENABLE_BASIC"
    EXTENDED = "ORT_ENABLE_EXTENDED"
    ALL = "ORT_ENABLE_ALL"


class _EngineValue(Protocol):
    """The part of onnxruntime.NodeArg that is read here."""

    name: str
    type: str
    shape: list[int | str | None]


class _EngineFacts(Protocol):
    """The part of onnxruntime.ModelMetadata that is read here."""

    custom_metadata_map: dict[str, str]


class _EngineSession(Protocol):
    """The part of onnxruntime.InferenceSession that is used here."""

    def get_inputs(self) -> list[_EngineValue]: ...
    def get_outputs(self) -> list[_EngineValue]: ...
    def get_modelmeta(self) -> _EngineFacts: ...
    def run(self, output_names: list[str], input_feed: dict[str, Tensor]) -> list[Tensor]: ...
    def end_profiling(self) -> str: ...


class OnnxRuntimeSession:
    """An open ONNX file. Made by `OnnxRuntimeBackend.open`."""

    def __init__(self, session: _EngineSession, *, engine: ModuleType, place: str, profiling: bool) -> None:
        self._session = session
        self._engine = engine
        self._place = place
        self._profiling = profiling
        self._signature = _read_signature(session, place)
        self._output_names = [spec.name for spec in self._signature.outputs]

    @property
    def signature(self) -> Signature:
        """What the file takes and gives; layouts are None because ONNX does not state them."""
        return self._signature

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name.

        Raises SignatureMismatchError (all mismatches at once) or SessionFailedError.
        """
        self._signature.check(feeds)
        return self.run_checked(feeds)

    def run_checked(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name, of feeds that are known to fit: what is timed is the engine, not the check.

        Raises SessionFailedError.
        """
        try:
            values = self._session.run(self._output_names, dict(feeds))
        except _engine_errors(self._engine) as error:
            raise SessionFailedError(ENGINE, self._place, one_line(error)) from error
        return dict(zip(self._output_names, values, strict=True))

    def finish_profile(self) -> Path:
        """The path of the JSON profile that the engine has now written; later runs are not profiled.

        Raises InvalidSettingError when the session is not profiling, or not any more.
        """
        if not self._profiling:
            raise InvalidSettingError(
                ["this session is not profiling: open it with profile_prefix=..."], record="profile"
            )
        self._profiling = False
        return Path(self._session.end_profiling())


class OnnxRuntimeBackend:
    """ONNX Runtime with its CPU provider. Conforms to `condmix.runtime.session.Backend`."""

    @property
    def name(self) -> str:
        """The engine's name in reports."""
        return ENGINE

    def available(self) -> str | None:
        """None when ONNX Runtime can be imported, else why not."""
        try:
            _import_engine()
        except EngineMissingError as error:
            return str(error)
        return None

    def open(
        self,
        model: Path | bytes,
        *,
        threads: int,
        optimization: Optimization = Optimization.ALL,
        profile_prefix: Path | None = None,
        optimized_path: Path | None = None,
    ) -> OnnxRuntimeSession:
        """A session on the model, quiet, running one operator at a time on `threads` threads.

        model: a path, or the bytes of a file (then without external data).
        profile_prefix: profile every run into `<prefix>_<time>.json`, until `finish_profile`.
        optimized_path: where the engine writes the graph that it made of the model and runs, as an ONNX file.

        Raises InvalidSettingError, EngineMissingError (OtherMachineError for a file that is for another machine) or
        ModelUnreadableError.
        """
        if threads < 1:
            raise InvalidSettingError([f"threads must be at least 1, found {threads}"], record="session")
        engine = _import_engine()
        place = describe_place(model)
        if isinstance(model, Path) and not model.is_file():
            reason = "it is a folder" if model.is_dir() else "there is no such file"
            raise ModelUnreadableError(place, reason, "Give the path of an .onnx file.")
        require_this_machine(model, runtime=engine.__version__)
        options = engine.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = engine.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = getattr(engine.GraphOptimizationLevel, optimization.value)
        options.log_severity_level = _LOG_FATAL_ONLY
        if profile_prefix is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile_prefix)
        if optimized_path is not None:
            options.optimized_model_filepath = str(optimized_path)
        source = model if isinstance(model, bytes) else str(model)
        try:
            # Without this the engine prints to stdout and tries again in another way when it fails.
            session = engine.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        except _engine_errors(engine) as error:
            next_step = "Check that it is a complete ONNX file whose operators and opset this engine knows."
            raise ModelUnreadableError(
                place, f"{ENGINE} {engine.__version__} says: {one_line(error)}", next_step
            ) from error
        return OnnxRuntimeSession(
            cast(_EngineSession, session), engine=engine, place=place, profiling=profile_prefix is not None
        )


if TYPE_CHECKING:
    from condmix.runtime.session import Backend

    _conforms: Backend = OnnxRuntimeBackend()


def _import_engine() -> ModuleType:
    try:
        with telemetry_off():
            return importlib.import_module(ENGINE)
    except ImportError as error:
        raise EngineMissingError(ENGINE, ENGINE, one_line(error)) from error


@contextlib.contextmanager
def telemetry_off() -> Iterator[None]:
    """An import of ONNX Runtime within the block leaves no device identity in the user's cache and sends nothing.

    1.31 does both as it is imported, so its `disable_telemetry_events` comes too late. A user who has set
    ORT_DISABLE_TELEMETRY, to whatever, has decided for himself.
    """
    if ENGINE in sys.modules or TELEMETRY_VARIABLE in os.environ:
        yield
        return
    os.environ[TELEMETRY_VARIABLE] = "1"
    try:
        yield
    finally:
        os.environ.pop(TELEMETRY_VARIABLE, None)


def _engine_errors(engine: ModuleType) -> tuple[type[Exception], ...]:
    """The engine's own exceptions, which share no base but Exception, and what its Python wrapper raises."""
    state = importlib.import_module(f"{engine.__name__}.capi.onnxruntime_pybind11_state")
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError)


def _read_signature(session: _EngineSession, place: str) -> Signature:
    """The signature as the engine reports it. Raises ModelUnreadableError for what numpy cannot hold."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    strange = [f"{value.name!r} is {value.type}" for value in (*inputs, *outputs) if value.type not in _DTYPES]
    if strange:
        reason = f"no numpy array holds these values: {', '.join(strange)}"
        raise ModelUnreadableError(place, reason, "Export the model with plain tensor inputs and outputs.")
    try:
        metadata = session.get_modelmeta().custom_metadata_map
        return Signature(
            inputs=tuple(with_usual_size(_read_spec(value), metadata) for value in inputs),
            outputs=tuple(map(_read_spec, outputs)),
        )
    except InvalidSettingError as error:
        raise ModelUnreadableError(place, one_line(error), "Export the model again.") from error


def _read_spec(value: _EngineValue) -> TensorSpec:
    # An axis without a name is free and tied to no other: its own place names it.
    shape = tuple(
        length if length is not None and length != "" else f"{value.name}.axis{axis}"
        for axis, length in enumerate(value.shape)
    )
    return TensorSpec(name=value.name, shape=shape, dtype=np.dtype(_DTYPES[value.type]).name)
