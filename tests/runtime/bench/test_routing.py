"""Routing histograms: weights that are known, as the file itself computes them, in both formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from condmix.runtime.bench.routing import BINS, RoutingHistograms, routing_histograms, unknown_routing
from condmix.runtime.errors import InvalidSettingError
from tests.runtime.conftest import build
from tests.runtime.tflite_files import DenseNet

GATES = ("gates", "wide", "constant")


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Blocks: sigmoid(x @ a), as a module of a network writes it; x @ b, which leaves 0 to 1; and a constant."""
    generator = np.random.default_rng(0)
    constants = {
        "a": generator.standard_normal((4, 3)).astype(np.float32),
        "b": np.array([[10], [0], [0], [0]], np.float32),
        "zero": np.zeros((4, 2), np.float32),
        "two": np.full((1, 2), 2, np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["product"], name="blocks.0.routing/MatMul"),
        helper.make_node("Sigmoid", ["product"], ["gates"], name="blocks.0.routing/Sigmoid"),
        helper.make_node("MatMul", ["x", "b"], ["wide"]),
        helper.make_node("MatMul", ["x", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "two"], ["constant"], name="blocks.2.routing/Add"),
        helper.make_node("Relu", ["gates"], ["y"]),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(build(nodes, inputs={"x": ["n", 4]}, outputs={"y": ["n", 3]}, constants=constants))
    return path


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((11, 4)).astype(np.float32)


def of(file: Path, images: np.ndarray, values: tuple[str, ...], engine: str = "onnxruntime") -> RoutingHistograms:
    return routing_histograms(file, {"anything": images}, values, engine=engine, source="eleven images")


def test_onnx_every_block_with_its_weights(onnx_file: Path, images: np.ndarray) -> None:
    found = of(onnx_file, images, GATES)
    assert found.source == "eleven images"
    first, wide, constant = found.blocks
    weight = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    gates = 1 / (1 + np.exp(-(images @ weight)))
    assert (first.block, first.experts, first.images) == ("blocks.0.routing", 3, 11)
    assert first.bin_edges == pytest.approx(np.linspace(0, 1, BINS + 1))
    np.testing.assert_allclose(first.mean, gates.mean(axis=0), rtol=1e-5)
    expected = [np.histogram(column, bins=BINS, range=(0, 1))[0].tolist() for column in gates.T]
    assert [list(row) for row in first.counts] == expected
    # A value whose writer has no name goes by its own; weights beyond 0 to 1 have edges of their own.
    assert wide.block == "wide"
    assert wide.bin_edges[0] == pytest.approx(10 * images[:, 0].min())
    assert sum(wide.counts[0]) == 11
    assert constant.block == "blocks.2.routing"
    assert (constant.bin_edges[0], constant.bin_edges[-1]) == (1.5, 2.5)
    assert list(first.to_dict()) == ["block", "experts", "images", "bin_edges", "counts", "mean"]


def test_what_the_file_does_not_show_is_said(onnx_file: Path, images: np.ndarray) -> None:
    found = of(onnx_file, images, ("gates", "folded"))
    assert [block.block for block in found.blocks] == ["blocks.0.routing"]
    assert found.source == "eleven images; 1 of 2 blocks do not show their routing in this file"
    assert of(onnx_file, images, ("folded",)).blocks == ()


def test_weights_that_are_not_finite_are_said(onnx_file: Path, images: np.ndarray) -> None:
    images[3, 0] = np.inf
    found = of(onnx_file, images, ("wide",))
    assert found.blocks == ()
    assert "the routing of wide is not finite" in found.source


def test_two_routings_of_one_module_keep_apart(onnx_file: Path, images: np.ndarray) -> None:
    found = of(onnx_file, images, ("gates", "product"))
    assert [block.block for block in found.blocks] == ["blocks.0.routing (gates)", "blocks.0.routing (product)"]


@pytest.mark.parametrize("scaled", [False, True])
def test_tflite_by_the_name_of_module_and_value(tmp_path: Path, scaled: bool) -> None:
    """Five images in batches of two: the last batch is filled up, and no image counts twice."""
    net, path = DenseNet(), tmp_path / "net.tflite"
    names = {"hidden": "blocks.4.routing:sigmoid_9"}
    path.write_bytes(net.to_tflite(tensor_names=names))
    images = np.random.default_rng(2).standard_normal((5, 4)).astype(np.float32) * (3 if scaled else 1)
    (block,) = of(path, images, ("sigmoid_9",), "litert").blocks
    assert (block.block, block.images, block.experts) == ("blocks.4.routing", 5, 5)
    np.testing.assert_allclose(block.mean, net.hidden(images).mean(axis=0), rtol=1e-5)
    assert of(path, images, ("sigmoid",), "litert").blocks == ()


def test_images_that_do_not_fit_are_named(onnx_file: Path) -> None:
    with pytest.raises(InvalidSettingError, match="the file takes 4"):
        of(onnx_file, np.zeros((2, 7), np.float32), GATES)


def test_a_file_of_others_says_why_nothing_is_known() -> None:
    assert unknown_routing("there is no record").to_dict() == {
        "blocks": [],
        "source": "no routing is known: there is no record",
    }
