"""Images in turn: a file for one image as the body of a Scan; every image has its own result, at any batch."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from condmix.exporters.batch.in_turn import in_turn
from condmix.exporters.build import Prepared, build_prepared, prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.options import ExportOptions
from condmix.models import zoo
from condmix.runtime.onnx_session import OnnxRuntimeBackend
from tests.exporters.graphs import assert_different, assert_same, run
from tests.exporters.sketch import Sketch

SIZE = 32


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return zoo.build("condconv_digits", {}).eval()


@pytest.fixture(scope="module")
def prepared(network: torch.nn.Module) -> Prepared:
    channels = next(network.parameters()).shape[1]
    return prepare(capture(network, (channels, SIZE, SIZE)), ExportOptions(), {}, lambda _stage: None)


@pytest.mark.parametrize(("condconv", "batch"), [("auto", None), ("kernel", 3), ("blocked", None)])
def test_every_image_has_its_own_result(
    network: torch.nn.Module, prepared: Prepared, condconv: str, batch: int | None
) -> None:
    options = ExportOptions(batch=batch, in_turn=True, condconv=condconv)
    channels = next(network.parameters()).shape[1]
    proto = build_prepared(prepared, options, {}, lambda _stage: None).final.proto
    onnx.checker.check_model(proto, full_check=condconv != "blocked")
    images = np.random.default_rng(0).standard_normal((3, channels, SIZE, SIZE)).astype(np.float32)
    (found,) = OnnxRuntimeBackend().open(proto.SerializeToString(), threads=1).run({"input": images}).values()
    with torch.no_grad():
        expected = torch.cat([network(torch.from_numpy(image[None])) for image in images]).numpy()
    assert_same(expected, np.asarray(found))
    assert_different(expected, np.asarray(found)[::-1])


def test_several_inputs_and_outputs_are_taken_and_given_by_name() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2, 3))
    sketch.input("z", (1, 2, 3))
    sketch.node("Sub", ["x", "z"], "difference")
    sketch.node("ReduceSum", ["x", sketch.constant("axes", (2,))], "sum", keepdims=0)
    proto = ir.to_proto(sketch.model("difference", "sum"))
    made = in_turn(proto, BatchAxis(size=None))
    x, z = np.random.default_rng(0).standard_normal((2, 5, 2, 3)).astype(np.float32)
    found = run(made, {"x": x, "z": z})
    np.testing.assert_array_equal(found["difference"], x - z)
    assert_same(x.sum(2), found["sum"])
    assert [axis.dim_param or axis.dim_value for axis in made.graph.output[1].type.tensor_type.shape.dim] == [
        "batch",
        2,
    ]


def test_nodes_of_a_file_in_another_order_are_put_in_order() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 2))
    sketch.node("Relu", ["x"], "a")
    sketch.node("Sigmoid", ["a"], "b")
    sketch.node("Mul", ["a", "b"], "y")
    proto = ir.to_proto(sketch.model("y"))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))
    body = in_turn(proto, BatchAxis(size=None)).graph.node[0].attribute[0].g
    assert [node.op_type for node in body.node] == ["Unsqueeze", "Relu", "Sigmoid", "Mul", "Squeeze"]


def test_what_has_no_image_axis_is_named() -> None:
    sketch = Sketch()
    sketch.input("x", (4, 2))
    sketch.node("ReduceSum", ["x"], "y", keepdims=0)
    with pytest.raises(NotExportableError) as caught:
        in_turn(ir.to_proto(sketch.model("y")), BatchAxis(size=2))
    assert caught.value.problems == ("'x' is 4x2", "'y' is a single number")
