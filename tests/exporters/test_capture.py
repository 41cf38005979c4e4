"""From a module to a graph: every node knows its module, every tap its value, and a failure says what to do."""

from __future__ import annotations

import logging

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from condmix.exporters.capture import CAPTURE_OPSET, Captured, capture
from condmix.exporters.errors import CaptureError
from condmix.exporters.graph.facts import MODULE_KEY, static_shape
from condmix.exporters.verify.tapping import module_outputs, with_outputs
from tests.exporters.graphs import assert_same, run
from tests.exporters.networks import (
    INPUT_SIZE,
    DataDependent,
    FixedSize,
    Plain,
    Raising,
    Squeezed,
    TwoHeads,
    settled,
)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, *INPUT_SIZE)).astype(np.float32)


def test_the_graph_computes_the_network(captured: Captured, network: nn.Module) -> None:
    x = image()
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    (result,) = run(captured.model, {"input": x}).values()
    np.testing.assert_allclose(result, expected, atol=2e-6 * np.abs(expected).max())


def test_input_output_and_operator_set(captured: Captured) -> None:
    (x,), (y,) = captured.model.graph.inputs, captured.model.graph.outputs
    assert (x.name, static_shape(x)) == ("input", (1, *INPUT_SIZE))
    assert (y.name, static_shape(y)) == ("logits", (1, 5))
    assert captured.model.opset_imports[""] == CAPTURE_OPSET


def test_every_node_names_a_module_there_is(captured: Captured, network: nn.Module) -> None:
    paths = {node.metadata_props[MODULE_KEY] for node in captured.model.graph}
    for path in paths:
        network.get_submodule(path)
    assert {"stem.0", "routing.linear", "cond", "depthwise", "expand.0", "mix", "project", "classifier"} <= paths


def test_a_convolution_belongs_to_the_owner_of_its_weight(captured: Captured) -> None:
    """torch folds the norm of the stem; the convolution keeps its own name."""
    convolutions = [node for node in captured.model.graph if node.op_type == "Conv"]
    assert convolutions[0].metadata_props[MODULE_KEY] == "stem.0"


def test_all_shapes_are_numbers(captured: Captured) -> None:
    shapes = [static_shape(output) for node in captured.model.graph for output in node.outputs]
    assert all(shapes)


def test_taps_are_the_outputs_of_their_modules_in_order(captured: Captured, network: nn.Module) -> None:
    computed = [output.name for node in captured.model.graph for output in node.outputs]
    names = [tap.value_name for tap in captured.taps]
    assert [computed.index(name) for name in names] == sorted(computed.index(name) for name in names)
    paths = [tap.module_path for tap in captured.taps]
    assert len(set(paths)) == len(paths)
    assert {"routing", "cond", "depthwise", "mix", "mix_norm", "project", "classifier"} <= set(paths)
    x = image()
    shown = run(with_outputs(ir.to_proto(captured.model), names), {"input": x})
    expected = module_outputs(network, paths, x[0], torch.float64)
    for tap in captured.taps:
        assert_same(expected[tap.module_path], shown[tap.value_name])


def test_the_module_is_left_as_it_was() -> None:
    module = settled(Plain()).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    result = capture(module, INPUT_SIZE)
    assert module.training
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    # The graph is of the network in eval mode all the same: its norm uses the stored statistics.
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(image())).numpy()
    np.testing.assert_allclose(run(result.model, {"input": image()})["logits"], expected, atol=1e-6)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    capture(settled(FixedSize()), INPUT_SIZE)
    assert capfd.readouterr() == ("", "")


def test_several_results_are_numbered() -> None:
    result = capture(settled(TwoHeads()), INPUT_SIZE)
    assert [value.name for value in result.model.graph.outputs] == ["output0", "output1"]
    assert [static_shape(value) for value in result.model.graph.outputs] == [(1, 4, 9, 8), (1, 5)]


def test_a_squeezed_result_is_still_logits() -> None:
    (output,) = capture(settled(Squeezed()), INPUT_SIZE).model.graph.outputs
    assert (output.name, static_shape(output)) == ("logits", (5,))


def failure(module: nn.Module, input_size: tuple[int, int, int] = INPUT_SIZE) -> str:
    with pytest.raises(CaptureError) as caught:
        capture(module.eval(), input_size)
    text = str(caught.value)
    assert text.startswith(
        f"torch could not capture the network at batch 1, input {input_size}: expected a network that runs on one "
        "image and whose control flow does not depend on its values; found:\n    "
    )
    assert text.endswith(
        "\n  Try the forward pass on one image of that size, or give the size it was trained at (--input-size)."
    )
    found = text.partition("found:\n")[2].rpartition("\n  Try")[0].splitlines()
    assert 1 <= len(found) <= 3
    assert all(line.strip() for line in found)
    assert "\x1b" not in text
    return text


def test_control_flow_that_depends_on_the_image_is_explained() -> None:
    assert "Could not guard on data-dependent expression" in failure(settled(DataDependent()))


def test_a_wrong_input_size_is_explained() -> None:
    assert "(1x192 and 216x5)" in failure(settled(FixedSize()), (3, 8, 8))


def test_a_module_that_raises_is_quoted() -> None:
    assert "found:\n    this head was never finished\n" in failure(Raising())


def test_torch_logs_and_prints_nothing_when_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.manager.disable
    failure(settled(FixedSize()), (3, 8, 8))
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == before


def test_no_program_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.onnx, "export", lambda *_arguments, **_choices: None)
    with pytest.raises(CaptureError) as caught:
        capture(Plain().eval(), INPUT_SIZE)
    assert str(caught.value) == (
        "torch.onnx.export returned no program: expected an ONNXProgram; is torch at least 2.9?"
    )


class Described(nn.Module):
    """A result with keys, nested, one tensor twice, the image itself, and names that inner values have already."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        y = torch.relu(self.conv(x)) * self.scale
        return {"relu": y, "scale": [y, None, {"deep": y + 1}], "input": x}


def test_keys_become_names_whatever_inner_values_are_called() -> None:
    found = capture(Described(), INPUT_SIZE)
    names = [value.name for value in found.model.graph.outputs]
    assert names == ["relu", "scale_0", "scale_2_deep", "input_output"]
    x = image()
    result = run(found.model, {"input": x})
    np.testing.assert_array_equal(result["input_output"], x)
    np.testing.assert_array_equal(result["relu"], result["scale_0"])
    np.testing.assert_array_equal(result["scale_2_deep"], result["relu"] + 1)


class Answering(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        return {"map": self.conv(x), "count": 3}


def test_a_result_that_is_no_tensor_is_told_with_its_place() -> None:
    assert "the result at count is of type int: expected tensors" in failure(Answering(), INPUT_SIZE)
