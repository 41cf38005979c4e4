"""LiteRT's own profile, by the C interface of its library: the Python interface has no way to it.

Runs in a process of its own (`python -m condmix.runtime.profile.litert_library`): the interface is that of
libLiteRt.so in ai-edge-litert 2.3, and a library whose functions differ may end the process.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

PACKAGE = "ai_edge_litert"
LIBRARIES = ("libLiteRt.so", "libLiteRt.dylib", "libLiteRt.dll", "LiteRt.dll")
CPU, WRITE = 1, 1
DEFAULT_EVENT, OPERATOR_EVENT, DELEGATED_EVENT, INSTRUMENTATION_EVENT = 1, 2, 8, 32
KNOWN_EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
INVOKE = "Invoke"
MOST_EVENTS = 2048
WARMUP_RUNS = 3
_RANKED_TYPE_BYTES = 1024  # more than any version needs: the library fills it, and is handed it back


class LibraryFailedError(Exception):
    """The library is not there, or a call of it failed; the text says which. Never leaves this folder."""


class Event(ctypes.Structure):
    """ProfiledEventData of litert/c/litert_profiler_event.h; the two blocks are states of memory."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_before", ctypes.c_uint64 * 3),
        ("memory_after", ctypes.c_uint64 * 3),
        ("place", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


def library_path() -> Path:
    """Where the library of the installed package lies. Raises LibraryFailedError."""
    found = importlib.util.find_spec(PACKAGE)
    folders = [] if found is None else [Path(place) for place in found.submodule_search_locations or ()]
    for folder in folders:
        for name in LIBRARIES:
            if (folder / name).is_file():
                return folder / name
    text = f"the installed {PACKAGE} brings no {LIBRARIES[0]}"
    raise LibraryFailedError(text)


class Library:
    """The functions of the library by name; each returns a status, 0 for success."""

    def __init__(self, path: Path) -> None:
        try:
            self._functions = ctypes.CDLL(str(path))
        except OSError as error:
            text = f"{path.name} does not load: {error}"
            raise LibraryFailedError(text) from error

    def call(self, name: str, *arguments: object) -> None:
        """The function has succeeded. Raises LibraryFailedError."""
        try:
            function = getattr(self._functions, name)
        except AttributeError as error:
            text = f"the library has no {name}"
            raise LibraryFailedError(text) from error
        function.restype = ctypes.c_int
        if status := function(*arguments):
            text = f"{name} failed with status {status}"
            raise LibraryFailedError(text)

    def made(self, name: str, *arguments: object) -> ctypes.c_void_p:
        """What the function makes and hands over by its last argument."""
        made = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def number(self, name: str, *arguments: object, kind: Any = ctypes.c_size_t) -> int:
        """The number that the function hands over by its last argument."""
        number = kind()
        self.call(name, *arguments, ctypes.byref(number))
        return int(number.value)


class ProfiledModel:
    """A file opened for profiling, all its inputs filled. It lives as long as its process."""

    def __init__(
        self, library: Library, path: Path, *, threads: int, feeds: Mapping[int, np.ndarray[Any, Any]]
    ) -> None:
        """feeds: place among the inputs of the main subgraph -> values."""
        self._library = library
        self._kept: list[object] = []
        environment = library.made("LiteRtCreateEnvironment", 0, None)
        model = library.made("LiteRtCreateModelFromFile", environment, str(path).encode())
        options = self._options(threads)
        self._model = library.made("LiteRtCreateCompiledModel", environment, model, options)
        self._profiler = library.made("LiteRtCompiledModelGetProfiler", self._model)
        if not self._profiler:
            text = "the library gives no profiler"
            raise LibraryFailedError(text)
        graph = library.made("LiteRtGetModelSubgraph", model, ctypes.c_size_t(0))
        self._inputs = self._buffers(environment, graph, "Input")
        self._outputs = self._buffers(environment, graph, "Output")
        for place, values in feeds.items():
            self._fill(self._inputs[place], values)

    def run(self) -> None:
        """One call, profiled or not. Raises LibraryFailedError."""
        self._library.call(
            "LiteRtRunCompiledModel", self._model, ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)), self._inputs, ctypes.c_size_t(len(self._outputs)), self._outputs,
        )  # fmt: skip

    def profiled_run(self) -> list[tuple[str, int, int, int]]:
        """(tag, kind, place, microseconds) of each event of one call. Raises LibraryFailedError."""
        self._library.call("LiteRtResetProfiler", self._profiler)
        self._library.call("LiteRtStartProfiler", self._profiler)
        self.run()
        self._library.call("LiteRtStopProfiler", self._profiler)
        count = self._library.number("LiteRtGetNumProfilerEvents", self._profiler, kind=ctypes.c_int)
        events = (Event * count)()
        self._library.call("LiteRtGetProfilerEvents", self._profiler, count, events)
        if count == MOST_EVENTS:
            text = f"the library keeps {MOST_EVENTS} events of a call and drops the rest"
            raise LibraryFailedError(text)
        if any(event.kind not in KNOWN_EVENTS for event in events):
            text = "the library writes its events in a way that is not known here"
            raise LibraryFailedError(text)
        return [(event.tag.decode(errors="replace"), event.kind, event.place, event.elapsed_us) for event in events]

    def _options(self, threads: int) -> ctypes.c_void_p:
        options = self._library.made("LiteRtCreateOptions")
        self._library.call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        keep_it = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self._kept.append(keep_it)
        texts = {"runtime_options_string": "enable_profiling = true\n", "xnnpack": f"num_threads = {threads}\n"}
        for name, text in texts.items():
            payload = ctypes.create_string_buffer(text.encode())
            self._kept.append(payload)
            part = self._library.made("LiteRtCreateOpaqueOptions", name.encode(), payload, keep_it)
            self._library.call("LiteRtAddOpaqueOptions", options, part)
        return options

    def _buffers(self, environment: ctypes.c_void_p, graph: ctypes.c_void_p, side: str) -> Any:
        count = self._library.number(f"LiteRtGetNumSubgraph{side}s", graph)
        buffers = (ctypes.c_void_p * count)()
        for place in range(count):
            tensor = self._library.made(f"LiteRtGetSubgraph{side}", graph, ctypes.c_size_t(place))
            shape = ctypes.create_string_buffer(_RANKED_TYPE_BYTES)
            self._library.call("LiteRtGetRankedTensorType", tensor, shape)
            wanted = self._library.made(
                f"LiteRtGetCompiledModel{side}BufferRequirements",
                self._model, ctypes.c_size_t(0), ctypes.c_size_t(place),
            )  # fmt: skip
            buffers[place] = self._library.made(
                "LiteRtCreateManagedTensorBufferFromRequirements", environment, shape, wanted
            ).value
        return buffers

    def _fill(self, number: int, values: np.ndarray[Any, Any]) -> None:
        buffer = ctypes.c_void_p(number)
        size_bytes = self._library.number("LiteRtGetTensorBufferPackedSize", buffer)
        if size_bytes != values.nbytes:
            text = f"an input takes {size_bytes} bytes, {values.nbytes} were given"
            raise LibraryFailedError(text)
        address = ctypes.c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), WRITE)
        ctypes.memmove(cast(int, address.value), np.ascontiguousarray(values).ctypes.data, size_bytes)
        self._library.call("LiteRtUnlockTensorBuffer", buffer)


def profile(model: Path, inputs: Path, *, threads: int, runs: int) -> dict[str, object]:
    """The events of `runs` calls after a few to warm up: [tag, kind, place] each, and microseconds [runs][events].

    inputs: .npz, arrays named after their place among the inputs.

    Raises LibraryFailedError, also when two calls do not have the same events.
    """
    with np.load(inputs, allow_pickle=False) as stored:
        feeds = {int(name): stored[name] for name in stored.files}
    opened = ProfiledModel(Library(library_path()), model, threads=threads, feeds=feeds)
    for _ in range(WARMUP_RUNS):
        opened.run()
    calls = [opened.profiled_run() for _ in range(runs)]
    events = [event[:3] for event in calls[0] if event[1] != INSTRUMENTATION_EVENT]
    for call in calls:
        if [event[:3] for event in call if event[1] != INSTRUMENTATION_EVENT] != events:
            text = "two calls of the same file have different events"
            raise LibraryFailedError(text)
    times = [[event[3] for event in call if event[1] != INSTRUMENTATION_EVENT] for call in calls]
    return {"events": [list(event) for event in events], "elapsed_us": times}


def main(arguments: list[str]) -> int:
    """The answer stands as JSON in the file named last: the profile, or {"error": why there is none}."""
    model, inputs, threads, runs, answer = arguments
    try:
        found = profile(Path(model), Path(inputs), threads=int(threads), runs=int(runs))
    except LibraryFailedError as error:
        found = {"error": str(error)}
    Path(answer).write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
