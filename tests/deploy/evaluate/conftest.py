"""Files of one small classifier in both formats, and labelled images for it: an evaluation of milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from condmix.deploy.evaluate.flow import EvalPlan, EvalRequest, make_plan
from condmix.deploy.evaluate.scheduler import Scheduler
from condmix.models.preprocessing import Preprocessing
from tests.runtime.tflite_files import Operator, build_tflite

CLASSES = ("cat", "dog", "eel", "fox", "gnu", "hen")
SIDE = 4
WEIGHT = np.random.default_rng(11).standard_normal((len(CLASSES), SIDE * SIDE)).astype(np.float32)
METADATA = {
    "condmix_version": "0.1.0",
    "input_size": f"Nx1x{SIDE}x{SIDE}",
    "preprocessing": json.dumps(Preprocessing.default(1).to_dict()),
    "class_names": json.dumps(CLASSES),
}
SERIAL = Scheduler(name="serial")


def noisy(strength: float, seed: int = 5) -> np.ndarray:
    """The weight, rounded by so much chance."""
    noise = np.random.default_rng(seed).standard_normal(WEIGHT.shape)
    return (WEIGHT + strength * noise).astype(np.float32)


def write_onnx(
    path: Path,
    weight: np.ndarray = WEIGHT,
    *,
    metadata: Mapping[str, str] | None = METADATA,
    batch: int | str = "N",
    shape: tuple[int | str, ...] = (1, SIDE, SIDE),
    external: bool = False,
) -> Path:
    """scores[N, classes] = images[N, 1, 4, 4] @ weight, without any bias."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight"], ["scores"], transB=1),
        ],
        "graph",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, len(weight)])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, dict(metadata or {}))
    if external:
        tensor = model.graph.initializer[0]
        path.with_suffix(".data").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", path.with_suffix(".data").name
    path.write_bytes(model.SerializeToString())
    return path


def write_tflite(path: Path, weight: np.ndarray = WEIGHT) -> Path:
    """The same for one image[1, 4, 4, 1] a call; it says nothing of itself."""
    content = build_tflite(
        {"x": ((1, SIDE, SIDE, 1), "float32"), "w": weight, "y": ((1, len(weight)), "float32")},
        [
            Operator(
                name="FULLY_CONNECTED", inputs=["x", "w", ""], outputs=["y"], options=schema.FullyConnectedOptionsT()
            )
        ],
        inputs=["x"],
        outputs=["y"],
        signatures={"serving_default": ({"images": "x"}, {"scores": "y"})},
    )
    path.write_bytes(content)
    return path


def write_labelled(path: Path, count: int = 50, seed: int = 1) -> Path:
    """Preprocessed images; one label in five is not what the network says."""
    generator = np.random.default_rng(seed)
    images = generator.uniform(-1, 1, (count, 1, SIDE, SIDE)).astype(np.float32)
    labels = (images.reshape(count, -1) @ WEIGHT.T).argmax(axis=1)
    wrong = generator.random(count) < 0.2
    labels = np.where(wrong, generator.integers(0, len(CLASSES), count), labels)
    np.savez(path, images=images, labels=labels, class_names=np.array(CLASSES))
    return path


def write_pictures(folder: Path, count: int = 24, seed: int = 2) -> Path:
    """A folder of grey pictures a class."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        home = folder / CLASSES[number % len(CLASSES)]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)).save(home / f"{number:03d}.png")
    return folder


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """Every member of the archive, which is closed again."""
    with np.load(path) as archive:
        return dict(archive)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    """Exact in both formats, then rounded."""
    return (
        write_onnx(tmp_path / "exact.onnx"),
        write_tflite(tmp_path / "exact.tflite"),
        write_onnx(tmp_path / "rounded.onnx", noisy(0.2)),
    )


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    return write_labelled(tmp_path / "labelled.npz")


def request_of(files: tuple[Path, ...], labelled: Path, output: Path, **changes: object) -> EvalRequest:
    """Measured in this process, eight images a shard."""
    choices: dict[str, object] = {"scheduler": SERIAL, "shard_images": 8, **changes}
    return EvalRequest(files=files, labelled=labelled, output=output, **choices)  # type: ignore[arg-type]


@pytest.fixture
def plan(files: tuple[Path, ...], labelled: Path, tmp_path: Path) -> EvalPlan:
    return make_plan(request_of(files, labelled, tmp_path / "out"), silent)


def silent(_stage: str) -> None:
    return
