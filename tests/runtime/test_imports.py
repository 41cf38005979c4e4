"""condmix.runtime works on a board with numpy alone: importing all of it imports no engine."""

import json
import pkgutil
import subprocess
import sys

import pytest

import condmix.runtime

FOREIGN = (
    "onnxruntime", "onnx", "onnx_ir", "torch", "tensorflow", "ai_edge_litert", "tflite_runtime",
    "condmix.models", "condmix.exporters", "condmix.deploy",
)  # fmt: skip
MODULES = sorted(module.name for module in pkgutil.walk_packages(condmix.runtime.__path__, "condmix.runtime."))

PROGRAM = """
import importlib, json, sys, time
names, foreign = json.loads(sys.argv[1]), json.loads(sys.argv[2])
start = time.process_time(); import numpy, numpy.typing; numpy_seconds = time.process_time() - start
start = time.process_time()
for name in names: importlib.import_module(name)
own_seconds = time.process_time() - start
found = [one for one in foreign if any(m == one or m.startswith(one + ".") for m in sys.modules)]
print(json.dumps({"foreign": found, "numpy_seconds": numpy_seconds, "own_seconds": own_seconds}))
"""


def import_in_a_fresh_process(modules: list[str]) -> dict:
    command = [sys.executable, "-c", PROGRAM, json.dumps(modules), json.dumps(FOREIGN)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def test_all_modules_are_found():
    assert len(MODULES) >= 14
    assert {"condmix.runtime.parity", "condmix.runtime.onnx_session", "condmix.runtime.audit.onnx_file"} <= set(MODULES)


def test_importing_every_module_imports_no_engine_and_costs_little_beyond_numpy():
    found = import_in_a_fresh_process(MODULES)
    assert found["foreign"] == []
    # Against numpy's own import in the same process, so that a busy machine slows both.
    assert found["own_seconds"] < 2 * found["numpy_seconds"]


@pytest.mark.parametrize(
    ("intruder", "expected"), [("onnxruntime", "onnxruntime"), ("condmix.models", "condmix.models")]
)
def test_the_guard_can_fail(intruder: str, expected: str):
    assert expected in import_in_a_fresh_process([*MODULES, intruder])["foreign"]
