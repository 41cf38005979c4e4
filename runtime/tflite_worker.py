"""Runs one TFLite file in tflite-runtime, in a process of its own, for whoever holds its standard input and output.

This file is run by itself, by an interpreter that need not have condmix: it uses the standard library, numpy
(below 2) and tflite-runtime only, in the syntax of Python 3.9.

A message is `<length of head><length of body><head><body>`: two big-endian 8-byte lengths, a JSON object, and the
arrays it lists one behind the other in C order. The worker begins with `ready` and its versions. `open` is answered
by `opened` with what the interpreter says of the file, `run` by `ran`; tensors go by their numbers. Failures are
answered by `failed` with the engine's words. The end of the input ends the process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

_LENGTHS = struct.Struct(">QQ")
Head = dict[str, Any]


def write_message(stream: BinaryIO, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """The message is in the stream, flushed. arrays: name -> numpy array; `head` must not have the key `arrays`."""
    listed = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    head_bytes = json.dumps({**head, "arrays": listed}).encode()
    bodies = [array.tobytes() for array in arrays.values()]
    stream.write(_LENGTHS.pack(len(head_bytes), sum(map(len, bodies))))
    stream.write(head_bytes)
    for body in bodies:
        stream.write(body)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[Head, dict[str, Any]]:
    """The next message: its head, and its arrays by name. Raises EOFError when the other side has gone."""
    import numpy as np

    head_length, body_length = _LENGTHS.unpack(_read_exactly(stream, _LENGTHS.size))
    head = json.loads(_read_exactly(stream, head_length))
    body = _read_exactly(stream, body_length)
    arrays, offset = {}, 0
    for name, dtype, shape in head.pop("arrays"):
        array = np.ndarray(shape, np.dtype(dtype), buffer=body, offset=offset)
        offset += array.nbytes
        arrays[name] = array.copy()
    return head, arrays


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def _open(engine: Any, head: Head, arrays: dict[str, Any]) -> Any:
    resolvers = engine.OpResolverType
    resolver = resolvers.BUILTIN if head["delegate"] else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    source = {"model_content": arrays["model"].tobytes()} if "model" in arrays else {"model_path": head["path"]}
    interpreter = engine.Interpreter(**source, num_threads=head["threads"], experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    return interpreter


def _described(details: Mapping[str, Any]) -> Head:
    import numpy as np

    shape = [int(length) for length in details["shape"]]
    return {
        "name": details["name"],
        "index": int(details["index"]),
        "shape": shape,
        "dtype": np.dtype(details["dtype"]).str,
    }


def _description(interpreter: Any) -> Head:
    """All that is needed to name and check inputs and outputs; the naming itself is the other side's."""
    signatures = {}
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        signatures[key] = {
            "subgraph": runner._subgraph_index,
            "inputs": {name: _described(one) for name, one in runner.get_input_details().items()},
            "outputs": {name: _described(one) for name, one in runner.get_output_details().items()},
        }
    return {
        "inputs": [_described(one) for one in interpreter.get_input_details()],
        "outputs": [_described(one) for one in interpreter.get_output_details()],
        "signatures": signatures,
    }


def _run(interpreter: Any, head: Head, arrays: dict[str, Any]) -> dict[str, Any]:
    interpreter.reset_all_variables()
    for number, array in arrays.items():
        interpreter.set_tensor(int(number), array)
    interpreter.invoke()
    return {str(number): interpreter.get_tensor(number) for number in head["outputs"]}


def serve(engine: Any, requests: BinaryIO, answers: BinaryIO) -> None:
    """Every request is answered, until there are no more."""
    interpreter = None
    while True:
        try:
            head, arrays = read_message(requests)
        except EOFError:
            return
        try:
            if head["kind"] == "open":
                interpreter = _open(engine, head, arrays)
                answer, outputs = {"kind": "opened", **_description(interpreter)}, {}
            else:
                answer, outputs = {"kind": "ran"}, _run(interpreter, head, arrays)
        # All that the interpreter raises, SystemError with numpy 2 included; the other side reports it.
        except (RuntimeError, ValueError, SystemError, MemoryError) as error:
            answer, outputs = {"kind": "failed", "reason": str(error) or type(error).__name__}, {}
        write_message(answers, answer, outputs)


def main() -> None:
    """Requests come on standard input and answers go to the standard output until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", help="folder with numpy and tflite_runtime, searched before all others")
    site = parser.parse_args().site
    if site is not None:
        sys.path.insert(0, site)
    # The engine may print: only messages may reach the pipe of answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import numpy as np

    engine = importlib.import_module("tflite_runtime.interpreter")
    package = importlib.import_module("tflite_runtime")
    python = ".".join(map(str, sys.version_info[:3]))
    versions = {"python": python, "numpy": np.__version__, "tflite-runtime": package.__version__}
    write_message(answers, {"kind": "ready", "versions": versions}, {})
    serve(engine, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
