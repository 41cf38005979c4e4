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
PACKAGES = {
    name: sorted(module.name for module in pkgutil.walk_packages(path, f"{name}."))
    for name, path in {
        module.name: [f"{condmix.runtime.__path__[0]}/{module.name.rpartition('.')[2]}"]
        for module in pkgutil.iter_modules(condmix.runtime.__path__, "condmix.runtime.")
        if module.ispkg
    }.items()
}
OWN = sorted(
    module.name for module in pkgutil.iter_modules(condmix.runtime.__path__, "condmix.runtime.") if not module.ispkg
)
EACH = {"condmix.runtime": OWN, **PACKAGES}

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
    assert {"condmix.runtime.parity", "condmix.runtime.onnx_session"} <= set(OWN)
    assert "condmix.runtime.audit.onnx_file" in PACKAGES["condmix.runtime.audit"]
    assert all(EACH.values())


@pytest.mark.parametrize("package", EACH)
def test_importing_a_package_imports_no_engine_and_costs_little_beyond_numpy(package: str):
    found = import_in_a_fresh_process(EACH[package])
    assert found["foreign"] == []
    # Against numpy's own import in the same process, so that a busy machine slows both. A command opens one package,
    # and what that needs of the others, never all of them.
    assert found["own_seconds"] < 2 * found["numpy_seconds"]


@pytest.mark.parametrize(
    ("intruder", "expected"), [("onnxruntime", "onnxruntime"), ("condmix.models", "condmix.models")]
)
def test_the_guard_can_fail(intruder: str, expected: str):
    assert expected in import_in_a_fresh_process([*OWN, intruder])["foreign"]
