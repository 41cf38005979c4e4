"""What a given file may not hold is told all at once, with stable reason codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from condmix.exporters.errors import OnnxInputError
from condmix.exporters.onnx_input.file import read_file
from condmix.exporters.onnx_input.refuse import is_quantised, opset_of, require_exportable, unknown_operators
from tests.exporters.onnx_input.sketches import Sketch, batched_groups, saved

SHAPE: list[int | str] = [1, 3, 4, 4]


def problems(model: onnx.ModelProto, folder: Path) -> dict[str, str]:
    with pytest.raises(OnnxInputError) as caught:
        require_exportable(read_file(saved(model, folder)))
    assert all(f"[{code}]" in str(caught.value) for code, _ in caught.value.problems)
    assert set(caught.value.codes) == {code for code, _ in caught.value.problems}
    return dict(caught.value.problems)


def one(kind: str, *more: str, domain: str = "", opset: int = 17, **attributes: object) -> onnx.ModelProto:
    s = Sketch()
    s.nodes.append(helper.make_node(kind, ["x", *more], ["y"], name="the_node", domain=domain, **attributes))
    model = s.model({"x": SHAPE}, {"y": SHAPE}, opset=opset)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def test_an_ordinary_file_has_nothing_against_it(tmp_path: Path) -> None:
    require_exportable(read_file(saved(batched_groups(2), tmp_path)))


def test_a_quantised_file_is_int8_already(tmp_path: Path) -> None:
    model = one("QuantizeLinear", "scale")
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "scale"))
    found = problems(model, tmp_path)
    assert found == {
        "ONNX_QUANTISED": "it is an int8 file already (QuantizeLinear x1): give the float network that it was made from"
    }
    assert is_quantised(model)
    assert not is_quantised(batched_groups(1))
    integer = one("QLinearAdd", domain="com.microsoft")
    assert list(problems(integer, tmp_path)) == ["ONNX_QUANTISED"]


def test_operators_that_nobody_defines_are_named(tmp_path: Path) -> None:
    model = one("FancyConv", domain="my.company")
    model.graph.node.append(helper.make_node("Relux", ["y"], ["z"]))
    text = problems(model, tmp_path)["ONNX_UNKNOWN_OPERATOR"]
    assert "my.company.FancyConv x1, Relux x1" in text
    assert unknown_operators(model) == {"my.company.FancyConv": 1, "Relux": 1}
    # With a function of that name in the file it is known.
    body = [helper.make_node("Relu", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("my.company", "FancyConv", ["a"], ["b"], body, opsets))
    assert unknown_operators(model) == {"Relux": 1}


def test_a_network_in_training_is_refused(tmp_path: Path) -> None:
    s = Sketch()
    s.batch_norm("x", "y", 3, training_mode=1)
    assert (
        "BatchNormalization 'y' measures its statistics"
        in problems(s.model({"x": SHAPE}, {"y": SHAPE}, opset=15), tmp_path)["ONNX_TRAINING"]
    )
    s = Sketch()
    s.batch_norm("x", "y", 3)
    s.nodes[-1].output.extend(["running_mean", "running_var"])
    assert "ONNX_TRAINING" in problems(s.model({"x": SHAPE}, {"y": SHAPE}, opset=9), tmp_path)


@pytest.mark.parametrize(("on", "refused"), [(True, True), (False, False)])
def test_dropout_is_refused_when_it_drops(tmp_path: Path, on: bool, refused: bool) -> None:
    model = one("Dropout", "ratio", "training")
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "ratio"))
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(on), "training"))
    if not refused:
        require_exportable(read_file(saved(model, tmp_path)))
        return
    assert "Dropout 'the_node' drops numbers at random" in problems(model, tmp_path)["ONNX_TRAINING"]


def test_random_results_are_refused(tmp_path: Path) -> None:
    assert "RandomNormalLike x1" in problems(one("RandomNormalLike"), tmp_path)["ONNX_RANDOM"]


@pytest.mark.parametrize(("opset", "said"), [(6, "its operator set is 6"), (25, "its operator set is 25")])
def test_operator_sets_out_of_range_are_refused(tmp_path: Path, opset: int, said: str) -> None:
    model = one("Relu")
    model.opset_import[0].version = opset
    assert problems(model, tmp_path)["ONNX_OPSET"].startswith(said)
    assert opset_of(model) == opset


def test_sparse_weights_are_refused(tmp_path: Path) -> None:
    model = one("Relu")
    values = numpy_helper.from_array(np.float32([1.0]), "sparse")
    indices = numpy_helper.from_array(np.int64([0]), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    assert problems(model, tmp_path)["ONNX_SPARSE"].startswith("1 weights are sparse")


def test_what_the_checker_finds_is_passed_on(tmp_path: Path) -> None:
    assert "onnx.checker says" in problems(one("Relu", "absent", "also_absent"), tmp_path)["ONNX_INVALID"]


def test_all_reasons_come_at_once(tmp_path: Path) -> None:
    model = one("RandomNormalLike")
    model.graph.node.append(helper.make_node("Thing", ["y"], ["z"], domain="d"))
    s = Sketch()
    s.batch_norm("y", "n", 3, training_mode=1)
    model.graph.node.extend(s.nodes)
    model.graph.initializer.extend(s.initializers)
    assert set(problems(model, tmp_path)) == {"ONNX_UNKNOWN_OPERATOR", "ONNX_RANDOM", "ONNX_TRAINING"}
