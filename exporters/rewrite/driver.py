"""Runs rules over a graph until nothing changes, and records what each did and declined."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from condmix.exporters.errors import GraphError
from condmix.exporters.graph.facts import module_path
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.records import RewriteStep
from condmix.exporters.rewrite.rule import Exactness, Refusal, Rule

MOST_ROUNDS = 50


def run_rules(
    model: ir.Model, rules: Sequence[Rule], *, approximate: frozenset[str] = frozenset()
) -> tuple[RewriteStep, ...]:
    """Apply `rules` in order, round after round, until a whole round changes nothing.

    Approximate rules run only when `approximate` names them.
    Raises GraphError, naming the rule and the node, when an edit leaves the graph inconsistent, or when the rules
    never settle.
    """
    active = [rule for rule in rules if rule.exactness is Exactness.EXACT or rule.name in approximate]
    splicer = Splicer(model.graph)
    steps: list[RewriteStep] = []
    for _ in range(MOST_ROUNDS):
        refused: list[RewriteStep] = []
        changed = False
        for rule in active:
            for step in _one_pass(splicer, rule):
                if step.applied:
                    steps.append(step)
                    changed = True
                else:
                    refused.append(step)
            splicer.finish()
        if not changed:
            return (*steps, *refused)
    message = f"the rules {[rule.name for rule in active]} did not settle within {MOST_ROUNDS} rounds"
    raise GraphError(message)


def _one_pass(splicer: Splicer, rule: Rule) -> list[RewriteStep]:
    steps: list[RewriteStep] = []
    for node in list(splicer.graph):
        if node.graph is None:
            continue
        answer = rule.match(node)
        if answer is None:
            continue
        path = module_path(node)
        if isinstance(answer, Refusal):
            steps.append(RewriteStep(rule=rule.name, path=path, applied=False, note=answer.reason))
            continue
        _apply(splicer, rule, node, answer)
        steps.append(RewriteStep(rule=rule.name, path=path, applied=True, note=answer.note))
    return steps


def _apply(splicer: Splicer, rule: Rule, node: ir.Node, replacement: Replacement) -> None:
    try:
        splicer.apply(replacement)
    except (GraphError, ValueError) as error:
        message = f"rule '{rule.name}' at '{node.name}': {error}"
        raise GraphError(message) from error
