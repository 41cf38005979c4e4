"""The driver: rounds until nothing changes, every answer on record, faults blamed on their rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import pytest

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import module_path, static_shape
from condmix.exporters.graph.splice import Replacement
from condmix.exporters.records import RewriteStep
from condmix.exporters.rewrite.driver import MOST_ROUNDS, run_rules
from condmix.exporters.rewrite.rule import Exactness, Refusal
from tests.exporters.graphs import operators, run
from tests.exporters.sketch import Sketch

X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(1, 3, 2, 2)

Answer = Callable[[ir.Node], Replacement | Refusal | None]


@dataclass(frozen=True)
class RuleFor:
    """A rule whose answer for one operator is a function."""

    op_type: str
    answer: Answer
    name: str = "rule_under_test"
    exactness: Exactness = Exactness.EXACT

    def match(self, node: ir.Node) -> Replacement | Refusal | None:
        return self.answer(node) if node.op_type == self.op_type else None


def becomes(op_type: str) -> Answer:
    """Replace a node by another with the same input."""

    def answer(node: ir.Node) -> Replacement:
        builder = NodeBuilder(module_path(node))
        result = builder.one(op_type, [node.inputs[0]], static_shape(node.outputs[0]))
        return Replacement(removed=(node,), results=((node.outputs[0], result),), builder=builder, note="done")

    return answer


def chain(*op_types: str) -> ir.Model:
    """x through unary operators to y; node i belongs to module m<i>."""
    sketch = Sketch()
    last = sketch.input("x", X.shape)
    for index, op_type in enumerate(op_types):
        output = "y" if index == len(op_types) - 1 else f"value{index}"
        last = sketch.node(op_type, [last], output, module=f"m{index}")
    return sketch.model("y")


def test_rules_run_round_after_round_until_nothing_changes() -> None:
    model = chain("Abs", "Relu", "Abs")
    # The second rule makes work for the first, which had its turn already.
    first, second = RuleFor("Neg", becomes("Tanh"), name="first"), RuleFor("Abs", becomes("Neg"), name="second")
    steps = run_rules(model, [first, second])
    assert operators(model) == {"Tanh": 2, "Relu": 1}
    assert [(step.rule, step.path, step.applied, step.note) for step in steps] == [
        ("second", "m0", True, "done"),
        ("second", "m2", True, "done"),
        ("first", "m0", True, "done"),
        ("first", "m2", True, "done"),
    ]
    np.testing.assert_allclose(run(model, {"x": X})["y"], np.tanh(np.maximum(np.tanh(X), 0)), rtol=1e-6)


def test_a_refusal_is_recorded_once_and_after_what_was_done() -> None:
    model = chain("Abs", "Relu")
    refusing = RuleFor("Relu", lambda _node: Refusal(reason="not today"), name="refusing")
    steps = run_rules(model, [refusing, RuleFor("Abs", becomes("Neg"), name="applying")])
    assert steps == (
        RewriteStep(rule="applying", path="m0", applied=True, note="done"),
        RewriteStep(rule="refusing", path="m1", applied=False, note="not today"),
    )


def test_rules_that_never_settle_are_an_error_that_names_them() -> None:
    model = chain("Relu")
    rules = [
        RuleFor("Relu", becomes("Abs"), name="there"),
        RuleFor("Abs", becomes("Relu"), name="and_back"),
    ]
    with pytest.raises(GraphError) as caught:
        run_rules(model, rules)
    assert str(caught.value) == f"the rules ['there', 'and_back'] did not settle within {MOST_ROUNDS} rounds"


def test_a_rule_that_leaves_a_reader_behind_is_named() -> None:
    model = chain("Abs", "Relu")
    forgetful = RuleFor("Abs", lambda node: Replacement(removed=(node,), results=()), name="forgetful")
    with pytest.raises(GraphError) as caught:
        run_rules(model, [forgetful])
    assert str(caught.value) == (
        "rule 'forgetful' at 'node_value0': 'value0' is still read by ['node_y'] after its replacement"
    )
    assert isinstance(caught.value.__cause__, GraphError)


def test_a_rule_that_hands_an_input_out_as_the_result_is_named() -> None:
    model = chain("Relu")

    def answer(node: ir.Node) -> Replacement:
        assert node.inputs[0] is not None
        return Replacement(removed=(node,), results=((node.outputs[0], node.inputs[0]),))

    with pytest.raises(GraphError) as caught:
        run_rules(model, [RuleFor("Relu", answer, name="careless")])
    assert str(caught.value) == ("rule 'careless' at 'node_y': 'y' is a graph output: an identity cannot replace it")


def test_an_approximate_rule_runs_only_when_it_is_named() -> None:
    approximate = RuleFor("Tanh", becomes("HardSigmoid"), name="hard", exactness=Exactness.APPROXIMATE)
    for named in ((), ("another",)):
        model = chain("Tanh")
        assert run_rules(model, [approximate], approximate=frozenset(named)) == ()
        assert operators(model) == {"Tanh": 1}
    model = chain("Tanh")
    (step,) = run_rules(model, [approximate], approximate=frozenset({"hard"}))
    assert (step.rule, step.applied) == ("hard", True)
    assert operators(model) == {"HardSigmoid": 1}


def test_no_rules_leave_the_graph_alone() -> None:
    model = chain("Relu")
    assert run_rules(model, []) == ()
    assert operators(model) == {"Relu": 1}


def test_a_node_that_went_away_in_the_same_pass_is_not_asked() -> None:
    model = chain("Abs", "Abs")
    asked: list[str | None] = []

    def answer(node: ir.Node) -> Replacement | None:
        asked.append(node.name)
        behind = [use.node for output in node.outputs for use in output.uses()]
        if not behind:
            return None
        builder = NodeBuilder("both")
        result = builder.one("Abs", [node.inputs[0]], static_shape(node.outputs[0]))
        pair = (node, *behind)
        return Replacement(removed=pair, results=((behind[0].outputs[0], result),), builder=builder)

    run_rules(model, [RuleFor("Abs", answer)])
    assert asked == ["node_value0", "both/Abs"]
    assert operators(model) == {"Abs": 1}
