"""The output folder of an export, in small: an ONNX file, its record and its reference, made without an export."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.deploy.bundle import write
from condmix.runtime.artifact import Format
from condmix.runtime.bench.reference import Limit, Reference, reference_content
from condmix.runtime.bench.samples import Agreement
from condmix.runtime.bundle.artifact_check import ArtifactCheck

CREATED = 1_790_000_000
CREATED_TEXT = "2026-09-21T14:13:20Z"
WEIGHT = np.random.default_rng(3).standard_normal((4, 5)).astype(np.float32)
IMAGES = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)


def model_bytes(weight: np.ndarray = WEIGHT) -> bytes:
    """y[1, 5] = x[1, 4] @ weight."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def reference_bytes(name: str, limit: Limit | None = None) -> bytes:
    reference = Reference(
        inputs={"x": IMAGES},
        outputs={"y": IMAGES @ WEIGHT},
        outputs_are="PyTorch in float64 | on 3 images",
        limits={} if limit is None else {name: limit},
    )
    return reference_content(reference)


@dataclass(frozen=True, kw_only=True)
class Export:
    """Files of one export in `folder`, all of whose names begin with `stem`."""

    folder: Path
    stem: str

    @property
    def model(self) -> Path:
        return self.folder / f"{self.stem}.onnx"

    @property
    def record(self) -> Path:
        return self.folder / f"{self.stem}.condmix.json"

    @property
    def reference(self) -> Path:
        return self.folder / f"{self.stem}.reference.npz"

    def change_record(self, change: Callable[[dict[str, object]], object]) -> None:
        data = json.loads(self.record.read_text())
        change(data)
        self.record.write_text(json.dumps(data))


def make_export(folder: Path, stem: str = "net", **changes: object) -> Export:
    """As condmix export leaves it; `changes` are values at the top of the record."""
    export = Export(folder=folder, stem=stem)
    model, reference = model_bytes(), reference_bytes(f"{stem}.onnx", Limit(max_abs_difference=1e-4))
    signature = {
        "inputs": [{"name": "x", "shape": [1, 4], "dtype": "float32", "layout": None}],
        "outputs": [{"name": "y", "shape": [1, 5], "dtype": "float32", "layout": None}],
    }
    entry = {
        "artifact": {
            "path": f"{stem}.onnx",
            "sha256": hashlib.sha256(model).hexdigest(),
            "precision": "float32",
            "signature": signature,
        },
        "passed": True,
        "input_layout": "NC",
        "layers": [{"path": "blocks.0", "kind": "CondConv", "details": {"experts": 4}}],
    }
    record = {
        "schema_version": 2,
        "kind": "condmix-export",
        "versions": {"condmix": "0.1.0", "torch": "2.13.0", "numpy": "2"},
        "source": {"file": "/home/somebody/net.pt", "sha256": "ab" * 32},
        "architecture": "condconv_digits",
        "settings": {"experts": 4},
        "input_size": [1, 2, 2],
        "preprocessing": {
            "mean": [0.5],
            "std": [0.25],
            "interpolation": "bilinear",
            "crop_fraction": 1.0,
            "crop_mode": "center",
            "scale": 1 / 255,
        },
        "class_names": ["zero", "one", "<script>", "a|b", "four"],
        "artifacts": [entry],
        "reference": {"path": export.reference.name, "sha256": hashlib.sha256(reference).hexdigest()},
        "notes": ["trained for\n3 epochs"],
        **changes,
    }
    export.model.write_bytes(model)
    export.reference.write_bytes(reference)
    export.record.write_text(json.dumps(record))
    os.utime(export.model, (CREATED, CREATED))
    return export


@pytest.fixture
def export(tmp_path: Path) -> Export:
    folder = tmp_path / "out"
    folder.mkdir()
    return make_export(folder)


@pytest.fixture(autouse=True)
def _no_set_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def passed_check(name: str, **changes: object) -> ArtifactCheck:
    agreement = Agreement(
        source="PyTorch in float64 | on 3 images",
        images=3,
        max_abs_difference=2.5e-6,
        limit=1e-4,
        top1_agreement=1.0,
        sqnr_db=130.0,
        passed=True,
        detail="largest difference 2.5e-06, at most 0.0001",
    )
    check = ArtifactCheck(
        name=name,
        format=Format.ONNX,
        engine="onnxruntime",
        engine_version="9.9",
        precision="float32",
        inputs={"x": (1, 4)},
        agreement=agreement,
        failure=None,
        missing=None,
    )
    return dataclasses.replace(check, **changes)  # type: ignore[arg-type]


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, object]]:
    """Every artifact passes unseen; what is put in here by name is changed in its check."""
    changes: dict[str, Mapping[str, object]] = {}

    def check(path: Path, *_arguments: object) -> ArtifactCheck:
        return passed_check(path.name, **changes.get(path.name, {}))

    monkeypatch.setattr(write, "check_artifact", check)
    return changes
