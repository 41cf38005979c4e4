"""Heavy imports stay in the adapter that needs them: seen from a fresh interpreter, with proof that it can fail."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "torch", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "onnxsim", "sklearn", "timm", "PIL", "ai_edge_litert",
    "flatbuffers",
)  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """The heavy packages that a statement loads in a fresh interpreter."""
    program = f"import json, sys\n{statement}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module",
    [
        "condmix.runtime.parity",
        "condmix.runtime.batches",
        "condmix.runtime.artifact",
        "condmix.runtime.latency",
        "condmix.runtime.onnx_session",
        "condmix.deploy.cli",
        "condmix.exporters.options",
        "condmix.exporters.errors",
    ],
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


def test_models_load_torch_and_no_exporter() -> None:
    assert loaded_by("import condmix.models.zoo") <= {"torch"}


def test_the_check_can_fail() -> None:
    assert loaded_by("import PIL, flatbuffers") >= {"PIL", "flatbuffers"}
