"""The graph that ONNX Runtime runs, with shapes and times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from condmix.runtime.audit import onnx_run
from condmix.runtime.audit.onnx_run import run_onnx
from condmix.runtime.errors import ComparisonImpossibleError, ModelUnreadableError
from tests.runtime.audit.graphs import onnx_graph, onnx_node
from tests.runtime.audit.onnx_files import write_float


def test_every_value_has_its_shape_and_every_node_its_time(tmp_path: Path):
    run = run_onnx(write_float(tmp_path), threads=1, runs=3, shapes={"image": (2, 3, 16, 16)})
    assert run.feeds["image"].shape == (2, 3, 16, 16)
    assert run.types["image"] == ("float", (2, 3, 16, 16))
    assert run.types["logits"] == ("float", (2, 10))
    assert {name for node in run.graph.nodes for name in (*node.inputs, *node.outputs) if name} <= set(run.types)
    assert set(run.calls) == {1}
    assert all(time >= 0 for time in run.time_us)
    assert sum(run.time_us) > 0
    # The graph is the runtime's own: activations are fused away.
    assert "Relu" not in {node.op_type for node in run.graph.nodes}


def test_nodes_without_names_are_told_apart(tmp_path: Path):
    model = onnx.load(write_float(tmp_path))
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, tmp_path / "unnamed.onnx")
    run = run_onnx(tmp_path / "unnamed.onnx", threads=1, runs=1, shapes={})
    assert set(run.calls) == {1}
    assert run.types["logits"] == ("float", (1, 10))


def test_a_loop_and_a_branch_that_is_not_taken(tmp_path: Path):
    def value(name: str, kind: int, shape: list) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "weight")
    body = helper.make_graph(
        [helper.make_node("MatMul", ["state", "weight"], ["next"]), helper.make_node("Identity", ["go"], ["go_on"])],
        "body",
        [value("turn", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("state", 1, [1, 4])],
        [value("go_on", TensorProto.BOOL, []), value("next", 1, [1, 4])],
    )
    taken = helper.make_graph([helper.make_node("Neg", ["looped"], ["minus"])], "a", [], [value("minus", 1, [1, 4])])
    left = helper.make_graph([helper.make_node("Exp", ["looped"], ["power"])], "b", [], [value("power", 1, [1, 4])])
    graph = helper.make_graph(
        [
            helper.make_node("Loop", ["count", "", "x"], ["looped"], body=body),
            helper.make_node("If", ["switch"], ["y"], then_branch=taken, else_branch=left),
        ],
        "g",
        [value("x", 1, [1, 4]), value("switch", TensorProto.BOOL, [])],
        [value("y", 1, [1, 4])],
        [numpy_helper.from_array(np.array(3, np.int64), "count"), weight],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "loop.onnx"
    )
    run = run_onnx(tmp_path / "loop.onnx", threads=1, runs=2, shapes={})
    calls = {node.op_type: number for node, number in zip(run.graph.nodes, run.calls, strict=True)}
    # The condition is fed as zero: no.
    assert (calls["MatMul"], calls["Exp"], calls["Neg"]) == (3, 1, 0)


def test_a_profile_of_another_graph_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = onnx_run.number_nodes

    def without_the_last(path: Path, numbered: Path, *, weights_folder: Path) -> object:
        graph = real(path, numbered, weights_folder=weights_folder)
        model = onnx.load(numbered)
        last = model.graph.node.pop()
        del model.graph.output[:]
        model.graph.output.append(helper.make_empty_tensor_value_info(last.input[0]))
        onnx.save(model, numbered)
        return graph

    monkeypatch.setattr(onnx_run, "number_nodes", without_the_last)
    with pytest.raises(ComparisonImpossibleError, match="not the one in use: Gemm differ in number"):
        run_onnx(write_float(tmp_path), threads=1, runs=1, shapes={})


def test_times_are_medians_over_runs_of_all_turns_in_a_run():
    graph = onnx_graph([onnx_node("Conv", ["x"], ["y"]), onnx_node("Relu", ["y"], ["z"])])

    def events(place: int, *durations_us: int) -> list[dict]:
        return [{"name": f"{place}_kernel_time", "dur": duration, "args": {}} for duration in durations_us]

    # The first run warms up; one of three was broken in on; the second node runs twice in each.
    profile = [*events(0, 100, 5, 900, 7), *events(1, 50, 50, 1, 2, 3, 4, 500, 6)]
    run = onnx_run._joined(graph, {}, profile, runs=3)
    assert run.time_us == (7, 7)
    assert run.calls == (1, 2)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    run_onnx(write_float(tmp_path), threads=1, runs=1, shapes={})
    with pytest.raises(ModelUnreadableError):
        run_onnx(tmp_path / "absent.onnx", threads=1, runs=1, shapes={})
    assert list(scratch.iterdir()) == []


def test_a_node_that_only_the_look_at_it_copies_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without optimisation the runtime copies a DequantizeLinear for each of its readers, under a name of its own."""
    profile = onnx_run._profile

    def with_a_copy(session: Any, feeds: Any, *, runs: int) -> list[dict[str, Any]]:
        events = profile(session, feeds, runs=runs)
        copies = [event for event in events if event["name"] == "0_kernel_time"]
        return [*events, *({**event, "name": "0/duplicated_kernel_time"} for event in copies)]

    path = write_float(tmp_path)
    plain = run_onnx(path, threads=1, runs=2, shapes={})
    monkeypatch.setattr(onnx_run, "_profile", with_a_copy)
    copied = run_onnx(path, threads=1, runs=2, shapes={})
    assert copied.calls == plain.calls
    assert copied.types == plain.types
