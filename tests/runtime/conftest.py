"""Small ONNX files, right and wrong, and package folders of tflite-runtime, for the tests of this folder."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from condmix.runtime import tflite_environment
from condmix.runtime.errors import EnvironmentMissingError
from condmix.runtime.tflite_runtime_session import prepare
from tests.runtime.tflite_sites import make_stand_in

CLASSES = 5
IMAGE_CHW = (3, 6, 6)

BuildOnnx = Callable[..., bytes]


def build(
    nodes: Sequence[NodeProto],
    *,
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: Mapping[str, Sequence[int | str | None]],
    constants: Mapping[str, np.ndarray],
    element_type: int = TensorProto.FLOAT,
) -> bytes:
    """A checked ONNX file with float inputs and outputs."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, element_type, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, element_type, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def build_onnx() -> BuildOnnx:
    return build


@pytest.fixture(scope="session")
def linear_weight() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((4, CLASSES)).astype(np.float32)


@pytest.fixture(scope="session")
def linear_bytes(linear_weight: np.ndarray) -> bytes:
    """y[n, 5] = x[n, 4] @ w."""
    return build(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs={"x": ["n", 4]},
        outputs={"y": ["n", CLASSES]},
        constants={"w": linear_weight},
    )


class ConvNet:
    """images[n, 3, 6, 6] -> Conv 3x3 -> mean over the image -> logits[n, 5], with faults on demand."""

    def __init__(self) -> None:
        generator = np.random.default_rng(11)
        self.kernel_oihw = generator.standard_normal((4, 3, 3, 3)).astype(np.float32)
        self.dense_io = generator.standard_normal((4, CLASSES)).astype(np.float32)
        self.images_nchw = generator.standard_normal((9, *IMAGE_CHW)).astype(np.float32)

    def expected(self, images_nchw: np.ndarray) -> dict[str, np.ndarray]:
        """The plain loops in float64."""
        images = images_nchw.astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
        features = np.einsum("nchwij,ocij->nohw", windows, self.kernel_oihw.astype(np.float64))
        return {"logits": features.mean(axis=(2, 3)) @ self.dense_io.astype(np.float64)}

    def to_onnx(
        self,
        *,
        fault: Sequence[NodeProto] = (),
        constants: Mapping[str, np.ndarray] | None = None,
        batch: int | str = "batch",
    ) -> bytes:
        """The file; `fault` is nodes from the value `right` to the output `logits`."""
        last = list(fault) or [helper.make_node("Identity", ["right"], ["logits"])]
        return build(
            [
                helper.make_node("Conv", ["images", "kernel"], ["features"]),
                helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["flat"]),
                helper.make_node("MatMul", ["flat", "dense"], ["right"]),
                *last,
            ],
            inputs={"images": [batch, *IMAGE_CHW]},
            outputs={"logits": [None, None]},
            constants={"kernel": self.kernel_oihw, "dense": self.dense_io, **(constants or {})},
        )


@pytest.fixture(scope="session")
def conv_net() -> ConvNet:
    return ConvNet()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder that behaves as tflite-runtime does, whatever Python runs the tests."""
    newest = max(tflite_environment.NEWEST_PYTHON, sys.version_info[:2])
    monkeypatch.setattr(tflite_environment, "NEWEST_PYTHON", newest)
    return make_stand_in(tmp_path / "stand in")


@pytest.fixture(scope="session")
def tflite_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real tflite-runtime, installed once; without a Python for it or a registry its tests are skipped."""
    site = tmp_path_factory.mktemp("tflite") / "site"
    try:
        prepare(site)
    except EnvironmentMissingError as error:
        if "it was installed but does not work" in str(error):
            raise
        pytest.skip(f"tflite-runtime cannot be installed here: {error}")
    return site
