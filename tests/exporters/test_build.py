"""The pipeline: stages in order, each runnable, the same network at every one, and one record a layer."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from condmix.exporters.build import Build, build, build_from, prepare
from condmix.exporters.capture import Captured
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import STAGES, ExportOptions
from condmix.exporters.records import LayerKind
from tests.exporters.graphs import assert_same, run, to_bytes
from tests.exporters.networks import INPUT_SIZE, Plain, settled

METADATA = {"architecture": "both"}


def built_with(captured: Captured, **choices: object) -> Build:
    return build_from(captured, ExportOptions(**choices), METADATA, lambda _stage: None)  # type: ignore[arg-type]


def images(count: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, *INPUT_SIZE)).astype(np.float32)


def expected(network: nn.Module, x: np.ndarray) -> np.ndarray:
    double = type(network)().double()
    double.load_state_dict({name: value.double() for name, value in network.state_dict().items()})
    with torch.no_grad():
        result: np.ndarray = double.eval()(torch.from_numpy(x).double()).numpy()
    return result


def check_network(network: nn.Module, proto: onnx.ModelProto, x: np.ndarray) -> None:
    """Within what float32 costs over a network of ten layers."""
    (result,) = run(proto, {"input": x}).values()
    wanted = expected(network, x)
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=0, atol=5e-6 * np.abs(wanted).max())


def test_every_stage_is_a_file_that_computes_the_network(captured: Captured, network: nn.Module) -> None:
    built = built_with(captured)
    assert tuple(stage.name for stage in built.stages) == STAGES
    assert built.final is built.stages[-1]
    for stage in built.stages:
        check_network(network, stage.proto, images(1))
        metadata = {prop.key: prop.value for prop in stage.proto.metadata_props}
        assert metadata == {"architecture": "both", "condmix_stage": stage.name}


def test_what_each_stage_is_made_of(captured: Captured) -> None:
    operators = [[node.op_type for node in stage.proto.graph.node] for stage in built_with(captured).stages]
    found, named, rewritten, final = operators
    assert not {"CondConv", "MixConv2"} & set(found)
    assert (named.count("CondConv"), named.count("CondConvExpertBias"), named.count("MixConv2")) == (1, 1, 2)
    # All norms are folded, the pointwise MixConv is a convolution.
    assert "BatchNormalization" in named
    assert "BatchNormalization" not in rewritten
    assert (rewritten.count("CondConv"), rewritten.count("MixConv2"), rewritten.count("Conv")) == (1, 1, 3)
    assert not {"CondConv", "CondConvExpertBias", "MixConv2"} & set(final)


@pytest.mark.parametrize("stage", STAGES)
def test_a_build_stops_where_it_was_told_to(captured: Captured, stage: str) -> None:
    built = built_with(captured, stage=stage)
    assert tuple(item.name for item in built.stages) == STAGES[: STAGES.index(stage) + 1]
    assert built.final.name == stage


@pytest.mark.parametrize(("batch", "count"), [(1, 1), (3, 3), (None, 4)])
@pytest.mark.parametrize("condconv", ["auto", "experts"])
@pytest.mark.parametrize("mixconv", ["auto", "parallel", "hoisted", "merged"])
def test_every_choice_computes_the_network(
    captured: Captured, network: nn.Module, batch: int | None, count: int, condconv: str, mixconv: str
) -> None:
    built = built_with(captured, batch=batch, condconv=condconv, mixconv=mixconv)
    check_network(network, built.final.proto, images(count))


@pytest.mark.parametrize("opset", [17, 20, 24])
def test_other_operator_sets_are_for_the_last_stage(captured: Captured, network: nn.Module, opset: int) -> None:
    built = built_with(captured, opset=opset)
    assert built.final.proto.opset_import[0].version == opset
    assert built.stages[0].proto.opset_import[0].version == 18
    check_network(network, built.final.proto, images(1))


def test_one_record_a_layer_with_its_form(captured: Captured) -> None:
    layers = built_with(captured).layers
    assert [(layer.path, layer.kind, layer.form) for layer in layers] == [
        ("cond", LayerKind.COND_CONV, "kernel"),
        ("depthwise", LayerKind.COND_CONV, "experts"),
        ("mix", LayerKind.MIX_CONV, "hoisted"),
        ("project", LayerKind.MIX_CONV, "grouped_conv"),
    ]
    assert all(layer.recognised and layer.why for layer in layers)


def test_layers_of_a_build_that_stops_early_have_no_form(captured: Captured) -> None:
    layers = built_with(captured, stage="rewritten").layers
    assert [layer.form for layer in layers] == [None] * 4
    assert built_with(captured, stage="captured").layers == ()


def test_rewrites_are_on_record(captured: Captured) -> None:
    steps = built_with(captured).steps
    applied = {(step.rule, step.path) for step in steps if step.applied}
    assert ("fold_batchnorm_into_condconv", "cond_norm") in applied
    assert ("fold_batchnorm_into_mixconv", "mix_norm") in applied
    assert ("group_pointwise_mixconv", "project") in applied


def test_routing_and_taps_name_values_of_the_captured_graph(captured: Captured) -> None:
    built = built_with(captured)
    values = {name for node in built.stages[0].proto.graph.node for name in node.output}
    assert len(built.routing_values) == 1
    assert set(built.routing_values) <= values
    assert {tap.value_name for tap in built.taps} <= values


def test_one_capture_serves_several_exports(captured: Captured) -> None:
    before = to_bytes(captured.model)
    first = built_with(captured, batch=None)
    second = built_with(captured, batch=None)
    assert to_bytes(captured.model) == before
    contents = [item.final.proto.SerializeToString(deterministic=True) for item in (first, second)]
    assert contents[0] == contents[1]


def test_progress_names_what_is_done(captured: Captured) -> None:
    seen: list[str] = []
    build_from(captured, ExportOptions(), {}, seen.append)
    assert seen == ["recognise", "rewrite", "lower"]
    seen.clear()
    build_from(captured, ExportOptions(stage="named"), {}, seen.append)
    assert seen == ["recognise"]


def test_a_module_is_captured_first() -> None:
    seen: list[str] = []
    module = settled(Plain())
    built = build(module, INPUT_SIZE, ExportOptions(batch=None), METADATA, seen.append)
    assert seen == ["capture", "recognise", "rewrite", "lower"]
    assert built.layers == ()
    check_network(module, built.final.proto, images(3))


def test_all_layers_that_cannot_take_a_form_are_named(captured: Captured) -> None:
    with pytest.raises(NotExportableError) as caught:
        built_with(captured, condconv="matmul")
    assert caught.value.problems == (
        "depthwise: `matmul` needs a dense kernel: this layer is depthwise (use experts or grouped)",
    )


def test_a_prepared_graph_is_ready_for_any_target(captured: Captured) -> None:
    prepared = prepare(captured, ExportOptions(), METADATA, lambda _stage: None)
    assert [stage.name for stage in prepared.built.stages] == ["captured", "named", "rewritten"]
    (logits,) = run(prepared.model, {"input": images(1)}).values()
    (again,) = run(prepared.built.final.proto, {"input": images(1)}).values()
    assert_same(again, logits)
