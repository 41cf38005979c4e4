"""A Loop of a fixed number of turns is written out; one that the image decides about is refused, and never run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.refuse import all_nodes
from condmix.exporters.onnx_input.shapes import ImageInput, image_input
from condmix.exporters.onnx_input.unroll import MOST_TURNS, unroll
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.onnx_input.loops import CHANNELS, SIDE, image_loop, nested_loop
from tests.exporters.onnx_input.reading import problems, read


def written_out(model: onnx.ModelProto, images: int) -> onnx.ModelProto:
    taken = image_input(model.graph, None)
    assert isinstance(taken, ImageInput)
    return unroll("net.onnx", model, taken, images)


def refusal(model: onnx.ModelProto, images: int = 1) -> str:
    with pytest.raises(OnnxInputError) as caught:
        written_out(model, images)
    ((code, text),) = caught.value.problems
    return f"{code} {text}"


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return OnnxRuntimeBackend().open(model.SerializeToString(), threads=1).run({"x": x})["y"]


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("opset", [12, 15])
def test_a_turn_for_every_image(images: int, opset: int) -> None:
    model = image_loop(opset=opset)
    flat = written_out(model, images)
    kinds = [node.op_type for node in flat.graph.node]
    assert "Loop" not in kinds
    assert kinds.count("Conv") == images
    x = np.random.default_rng(1).standard_normal((images, CHANNELS, SIDE, SIDE)).astype(np.float32)
    np.testing.assert_allclose(run(flat, x), run(model, x), atol=1e-5)
    # Names are unique, and a node is called by the folder that it came from.
    names = [node.name for node in flat.graph.node if node.name]
    assert len(names) == len(set(names))
    assert {name for name in names if "conv" in name} == {f"layer/conv_turn_{turn}" for turn in range(images)}


def test_the_condition_ends_a_loop_before_its_count() -> None:
    model = image_loop(4, stop=3)
    x = np.random.default_rng(1).standard_normal((4, CHANNELS, SIDE, SIDE)).astype(np.float32)
    assert len(run(model, x)) == 3
    np.testing.assert_allclose(run(written_out(model, 4), x), run(model, x), atol=1e-5)


def test_loops_within_loops() -> None:
    flat = written_out(nested_loop(), 1)
    assert sum(node.op_type == "Add" for node in flat.graph.node) == 6
    assert not any(node.op_type == "Loop" for node in all_nodes(flat.graph))
    x = np.zeros((1, CHANNELS, SIDE, SIDE), np.float32)
    np.testing.assert_array_equal(run(flat, x), x + 6)


def test_the_image_may_not_decide() -> None:
    words = "ONNX_CONTROL_FLOW the image decides how often its Loop 'layer/while_loop' runs"
    assert refusal(image_loop(by_image="count", opset=12)).startswith(words)
    assert refusal(image_loop(by_image="condition", opset=12)).startswith(words)


@pytest.mark.parametrize("turns", [MOST_TURNS + 1, 10**15])
def test_too_many_turns_are_not_run(turns: int) -> None:
    assert f"runs more than {MOST_TURNS} times" in refusal(image_loop(turns=turns))


@pytest.mark.parametrize("turns", [0, -3])
def test_no_turn_at_all(turns: int) -> None:
    assert "runs never" in refusal(image_loop(turns=0 if turns == 0 else turns))


def test_what_doubles_with_every_turn_is_never_computed(tmp_path: Path) -> None:
    """2^60 numbers: found by their shape."""
    model = image_loop(1, turns=60, grows=True)
    body = next(item.g for node in model.graph.node for item in node.attribute if item.name == "body")
    # The condition reads the vector, so that counting the turns would need it.
    body.node.remove(next(node for node in body.node if node.output[0] == "on"))
    body.node.append(onnx.helper.make_node("ReduceSum", ["longer"], ["total"], keepdims=0))
    body.node.append(onnx.helper.make_node("Less", ["total", "last"], ["on"]))
    found = problems(model, tmp_path)
    assert set(found) <= {"ONNX_TOO_LARGE", "ONNX_CONTROL_FLOW"}
    assert found


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    source = read(image_loop(3), tmp_path)
    assert source.oracle.images == 3
    assert [node.op_type for node in source.captured.model.graph] == ["Conv"]
