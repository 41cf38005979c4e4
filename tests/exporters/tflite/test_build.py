"""From a captured network to a file: its records, its batch, its layout, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from condmix.exporters.capture import Captured
from condmix.exporters.errors import NotExportableError
from condmix.exporters.records import LayerKind
from condmix.exporters.tflite import build as module_under_test
from condmix.exporters.tflite.build import TfliteBuild, build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.runtime.delegate_coverage import coverage
from tests.exporters.graphs import rounding_error
from tests.exporters.networks import INPUT_SIZE
from tests.exporters.tflite.running import counted, open_file, read_back

CLOSE = 2e-5


def built(captured: Captured, **choices: object) -> TfliteBuild:
    return build_tflite(captured, TfliteOptions(**choices), {"architecture": "both"}, lambda _stage: None)  # type: ignore[arg-type]


def images(count: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((count, *INPUT_SIZE)).astype(np.float32)


def pytorch(network: nn.Module, images_nchw: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        rows = [network(torch.from_numpy(image[None])).numpy() for image in images_nchw]
    return np.concatenate(rows)


@pytest.mark.parametrize(
    ("choices", "limit"),
    [
        ({}, CLOSE),
        ({"batch": 3}, CLOSE),
        ({"layout": "nchw"}, CLOSE),
        ({"condconv": "experts", "batch": 2}, CLOSE),
        ({"experts": "float16"}, 5e-3),
        ({"experts": "int8", "batch": 2}, 5e-2),
        ({"precision": "float16"}, 5e-3),
        ({"precision": "float16", "experts": "int8"}, 5e-2),
    ],
)
def test_the_file_gives_what_pytorch_gives(
    captured: Captured, network: nn.Module, choices: dict[str, object], limit: float
) -> None:
    build = built(captured, **choices)
    count = int(str(choices.get("batch", 1)))
    feeds = images(count)
    expected = pytorch(network, feeds)
    given = feeds if build.layout == "nchw" else feeds.transpose(0, 2, 3, 1)
    for delegate in (True, False):
        actual = open_file(build.content, delegate=delegate).run({"input": given})["logits"]
        assert rounding_error(expected, actual) < limit
    if limit == CLOSE:
        assert build.exact_content is None
    else:
        assert build.exact_content is not None
        actual = open_file(build.exact_content).run({"input": given})["logits"]
        assert rounding_error(expected, actual) < CLOSE


def test_the_layers_are_recorded_in_the_forms_of_the_file(captured: Captured) -> None:
    layers = {layer.path: layer for layer in built(captured).shared.layers}
    forms = {path: (layer.kind, layer.form) for path, layer in layers.items() if layer.form}
    assert forms["cond"] == (LayerKind.COND_CONV, "im2col")
    assert forms["depthwise"] == (LayerKind.COND_CONV, "depthwise")
    assert forms["mix"] == (LayerKind.MIX_CONV, "hoisted")
    assert "BATCH_MATMUL" in layers["cond"].why
    assert "experts stored as" not in layers["cond"].why


def test_bytes_and_products_follow_the_choices(captured: Captured) -> None:
    plain, eight, half, static = (
        {layer.path: layer for layer in built(captured, **choices).shared.layers}
        for choices in ({}, {"experts": "int8"}, {"precision": "float16"}, {"condconv": "experts"})
    )
    experts = 3 * 8 * 6 * 3 * 3
    biases = 4 * 8
    assert plain["cond"].weight_bytes == 4 * experts + biases
    assert eight["cond"].weight_bytes == experts + biases
    assert half["cond"].weight_bytes == 2 * experts + biases
    assert eight["cond"].why.endswith("; experts stored as int8")
    kernels = 6 * 3 * 3 + 6 * 5 * 5
    assert (plain["mix"].weight_bytes, half["mix"].weight_bytes) == (4 * kernels + 4 * 12, 2 * kernels + 4 * 12)
    positions = 5 * 4
    assert plain["cond"].multiply_adds == experts // 3 * positions + experts
    assert static["cond"].multiply_adds == experts * positions
    assert (static["cond"].form, static["depthwise"].form) == ("experts", "experts")


def test_the_shared_stages_end_where_targets_part(captured: Captured) -> None:
    build = built(captured)
    assert [stage.name for stage in build.shared.stages] == ["captured", "named", "rewritten"]
    assert build.shared.taps == captured.taps


def test_the_capture_is_left_as_it_was(captured: Captured) -> None:
    before = ir.to_proto(captured.model).SerializeToString(deterministic=True)
    first = built(captured, batch=2, experts="int8")
    assert ir.to_proto(captured.model).SerializeToString(deterministic=True) == before
    assert built(captured, batch=2, experts="int8").content == first.content


def test_description_and_metadata(captured: Captured) -> None:
    model = read_back(built(captured).content)
    assert model.description == b"both"
    (entry,) = model.metadata
    assert json.loads(bytes(model.buffers[entry.buffer].data)) == {"architecture": "both"}
    nameless = build_tflite(captured, TfliteOptions(), {}, lambda _stage: None)
    assert read_back(nameless.content).description == b"condmix"


def test_only_the_computed_depthwise_kernel_leaves_the_delegate(captured: Captured) -> None:
    content = built(captured).content
    assert dict(coverage(open_file(content)).not_delegated) == {"DEPTHWISE_CONV_2D": 1}
    assert counted(content)["TRANSPOSE"] == 0
    assert coverage(open_file(built(captured, condconv="experts").content)).complete


def test_values_of_the_graph_are_found_in_the_file(captured: Captured) -> None:
    build = built(captured)
    names = {tensor.name.decode() for tensor in read_back(build.content).subgraphs[0].tensors}
    assert set(build.tensor_of_value.values()) <= names
    assert build.tensor_of_value["logits"] == "classifier:logits"


def test_progress_names_the_stages(captured: Captured) -> None:
    seen: list[str] = []
    build_tflite(captured, TfliteOptions(), {}, seen.append)
    assert seen == ["recognise", "rewrite", "write TFLite"]


@pytest.mark.parametrize("choices", [{}, {"experts": "int8"}, {"precision": "float16"}])
def test_a_file_that_would_be_too_large_is_refused(
    captured: Captured, monkeypatch: pytest.MonkeyPatch, choices: dict[str, object]
) -> None:
    monkeypatch.setattr(module_under_test, "LARGEST_FILE", 5000)
    with pytest.raises(NotExportableError) as refusal:
        built(captured, **choices)
    assert str(refusal.value) == (
        "the weights take 0.0 GB: a TFLite file holds at most 2 GB;\n"
        "  - use fewer experts or a narrower network, or export ONNX"
    )


def test_a_batch_that_the_network_cannot_be_given_is_refused(captured: Captured) -> None:
    model = captured.model.clone()
    (head,) = (node for node in model.graph if node.outputs[0].name == "logits")
    vector = ir.Value(name="rows_as_one", shape=ir.Shape((1, 5)), type=ir.TensorType(ir.DataType.FLOAT))
    model.graph.append(ir.node("ReduceMean", [head.outputs[0]], attributes={"keepdims": 1}, outputs=[vector]))
    vector.shape = ir.Shape((1, 1))
    model.graph.outputs[0] = vector
    with pytest.raises(NotExportableError, match="the network cannot be given a batch axis"):
        built(Captured(model=model, taps=captured.taps), batch=2)
