"""Environments of peers without the peers: interpreters that see small modules under their names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from condmix.deploy.bench.peers_rows import PeerRow, Reference

CLASSES = 4
SHAPE = (3, 6, 5)

OPENVINO = """
import json, numpy, os, sys
from pathlib import Path
assert "condmix.deploy.bench.peers_worker" in sys.modules
assert sys.modules["openvino_telemetry"] is None
print("engines talk", flush=True)

def convert_model(path):
    model = Path(path).read_text()
    Path(path).write_text("overwritten, as onnx2tf does")
    return model

def save_model(model, path, compress_to_fp16):
    assert not compress_to_fp16
    if "refused" in model:
        sys.exit("Check failed: this operator is not supported")
    Path(path).write_text(model)

class Core:
    def compile_model(self, path, device, settings):
        cores = sorted(os.sched_getaffinity(0))
        settings = dict(settings, openmp=os.environ["OMP_NUM_THREADS"], cores=cores, device=device)
        Path(path + ".settings").write_text(json.dumps(settings))
        self.factor = float(Path(path).read_text())
        return self

    def create_infer_request(self):
        return self

    def infer(self, feeds, share_inputs):
        if self.factor > 90:
            os._exit(3)
        if self.factor > 80:
            raise RuntimeError("no memory\\nfor this")
        return [self.factor * feeds[0].mean((2, 3)) @ numpy.ones((3, 4), numpy.float32)]
"""


def openvino_environment(folder: Path, version: str = "2026.4.1") -> Path:
    """An environment whose interpreter is this one with that module for OpenVINO; the model is a number in a file."""
    site = folder / "site"
    information = site / f"openvino-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: openvino\nVersion: {version}\n")
    (site / "openvino.py").write_text(OPENVINO)
    return python_with(folder, site)


def python_with(folder: Path, site: Path) -> Path:
    """An environment whose `python -I [-B] -c PROGRAM` sees the modules of `site` first."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    shift = '[ "$2" = -B ] && shift'
    program = f"import sys; sys.path.insert(0, {str(site)!r})\n$3"
    python.write_text(
        f'#!/bin/sh\n{shift}\nprogram="{program}"\nshift 3\nexec {sys.executable} -I -B -c "$program" "$@"\n'
    )
    python.chmod(0o755)
    return folder


def reference(factor: float = 2.0) -> Reference:
    """Two images, and what the model of that factor makes of them."""
    images = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    expected = factor * images.astype(np.float64).mean((2, 3)) @ np.ones((3, CLASSES))
    return Reference(images_nchw=images, expected=expected, own_error=1e-7)


def row(name: str, **choices: object) -> PeerRow:
    """A float32 row of OpenVINO's."""
    return PeerRow(**{"name": name, "engine": "openvino", "file": f"{name}.xml", "is_peer": True, **choices})  # type: ignore[arg-type]
