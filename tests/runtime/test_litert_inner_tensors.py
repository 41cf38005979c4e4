"""What lies inside a LiteRT session: tensors that can be read, and the nodes with the parts of the delegate."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.litert_session import LiteRtBackend
from tests.runtime.tflite_files import DenseNet, Operator, build_tflite

BACKEND = LiteRtBackend()
NET = DenseNet()


@pytest.mark.parametrize("delegate", [True, False])
def test_inner_tensors_can_be_read(delegate: bool):
    session = BACKEND.open(NET.to_tflite(), threads=1, delegate=delegate, preserve_all_tensors=True)
    assert session.tensor_names() == ("x", "hidden", "y")
    session.run({"images": NET.images})
    first = session.tensor("hidden")
    session.run({"images": -NET.images})
    np.testing.assert_allclose(first, NET.hidden(NET.images), rtol=0, atol=1e-6)
    np.testing.assert_allclose(session.tensor("hidden"), -NET.hidden(NET.images), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(session.tensor("x"), -NET.images)


def test_inner_tensors_that_cannot_be_read():
    forgetful = BACKEND.open(NET.to_tflite(), threads=1)
    forgetful.run({"images": NET.images})
    with pytest.raises(InvalidSettingError) as caught:
        forgetful.tensor("hiden")
    assert caught.value.problems == (
        "this session keeps no inner tensors: open the file with preserve_all_tensors=True",
        "unknown name 'hiden': did you mean 'hidden'?",
    )
    with pytest.raises(InvalidSettingError, match="there are no values yet: run the session first"):
        BACKEND.open(NET.to_tflite(), threads=1, preserve_all_tensors=True).tensor("hidden")


def test_a_name_that_two_tensors_carry_is_not_offered():
    session = BACKEND.open(NET.to_tflite(tensor_names={"w": "hidden"}), threads=1, preserve_all_tensors=True)
    assert session.tensor_names() == ("x", "y")


def test_what_depends_on_constants_alone_is_not_offered():
    # XNNPACK folds it and leaves its tensor unfilled: a comparison would blame a layer that is right.
    model = build_tflite(
        {
            "x": ((2, 4), "float32"),
            "stored": NET.weight_oi.astype(np.float16),
            "weight": ((5, 4), "float32"),
            "y": ((2, 5), "float32"),
        },
        [
            Operator(name="DEQUANTIZE", inputs=["stored"], outputs=["weight"]),
            Operator(
                name="FULLY_CONNECTED",
                inputs=["x", "weight", ""],
                outputs=["y"],
                options=schema.FullyConnectedOptionsT(),
            ),
        ],
        inputs=["x"],
        outputs=["y"],
    )
    session = BACKEND.open(model, threads=1, preserve_all_tensors=True)
    assert session.tensor_names() == ("x", "y")
    expected = session.run({"x": NET.images})["y"]
    np.testing.assert_array_equal(session.tensor("y"), expected)
    np.testing.assert_allclose(expected, NET.hidden(NET.images), rtol=0, atol=5e-3)


def test_the_nodes_are_the_operators_and_the_parts_of_the_delegate():
    plain = BACKEND.open(NET.to_tflite(), threads=1, delegate=False)
    assert [(node.operator, node.inputs, node.outputs) for node in plain.nodes()] == [
        ("FULLY_CONNECTED", (0, 1), (2,)),
        ("TANH", (2,), (3,)),
    ]
    delegated = BACKEND.open(NET.to_tflite(), threads=1)
    assert delegated.nodes()[:2] == plain.nodes()
    assert [node.is_delegate for node in delegated.nodes()] == [False, False, True]
    assert (plain.uses_delegate, delegated.uses_delegate) == (False, True)


def test_integers_are_told_with_their_scale_and_brought_back_to_real_numbers():
    model = build_tflite(
        {"x": ((1, 4), "float32"), "q": ((1, 4), "int8"), "y": ((1, 4), "int8")},
        [
            Operator(name="QUANTIZE", inputs=["x"], outputs=["q"], options=schema.QuantizeOptionsT()),
            Operator(name="RESHAPE", inputs=["q"], outputs=["y"], options=_shape(1, 4)),
        ],
        inputs=["x"],
        outputs=["y"],
        scales={"q": (0.5, -3), "y": (0.5, -3)},
    )
    session = BACKEND.open(model, threads=1, delegate=False, preserve_all_tensors=True)
    assert session.end_scales() == {"y": (0.5, -3)}
    session.run({"x": np.array([[0.0, 1.0, -2.0, 0.6]], np.float32)})
    np.testing.assert_array_equal(session.tensor("q"), np.array([[-3, -1, -7, -2]], np.int8))
    np.testing.assert_array_equal(session.real("q"), [[0.0, 1.0, -2.0, 0.5]])
    assert session.real("x").dtype == np.float64
    np.testing.assert_allclose(session.real("x"), [[0.0, 1.0, -2.0, 0.6]], rtol=1e-6)


def _shape(*lengths: int) -> schema.ReshapeOptionsT:
    options = schema.ReshapeOptionsT()
    options.newShape = list(lengths)
    return options
