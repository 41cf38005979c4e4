"""What every convolution of a given file is taken for, and why: said before anything is exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import onnx_ir as ir

from condmix.exporters.captured import Captured
from condmix.exporters.graph.facts import attribute_int, is_op, module_path, static_shape
from condmix.exporters.named.condconv import is_condconv, read_condconv
from condmix.exporters.named.mixconv import is_mixconv, read_mixconv
from condmix.exporters.recognise import FINDERS
from condmix.exporters.recognise.finding import Declined, Recognised
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules

STATIC, COND_CONV, MIX_CONV, LEFT_ALONE = "static", "CondConv", "MixConv", "left alone"


@dataclass(frozen=True, kw_only=True)
class ConvolutionFact:
    """One convolution, or one CondConv or MixConv as a whole."""

    path: str
    taken_for: str
    """static, CondConv, MixConv, or left alone."""
    what: str
    """Kernel, channels, groups; of a CondConv its experts and routing."""
    why: str
    """The proof, or the reason against it."""

    def to_dict(self) -> Mapping[str, str]:
        """As plain data."""
        return asdict(self)


def explain(captured: Captured) -> tuple[ConvolutionFact, ...]:
    """Every convolution of the graph in order; the captured graph is left as it was."""
    model = captured.model.clone()
    run_rules(model, TIDY_RULES)
    facts: dict[ir.Node, ConvolutionFact] = {}
    within: set[ir.Node] = set()
    for finding in (finding for _, find in FINDERS for finding in find(model)):
        if finding.node in within:
            continue
        if isinstance(finding, Declined):
            facts.setdefault(finding.node, _declined(finding))
        else:
            facts[finding.node] = _recognised(finding)
            within.update(finding.replacement.removed)
    ordered: list[ConvolutionFact] = []
    for node in model.graph:
        if node in facts:
            ordered.append(facts[node])
        elif is_op(node, "Conv", "ConvTranspose") and node not in within:
            ordered.append(_static(node))
    return tuple(ordered)


def _recognised(finding: Recognised) -> ConvolutionFact:
    for node in finding.replacement.builder.nodes:
        if is_condconv(node):
            layer = read_condconv(node)
            shape = _shape(layer.settings.kernel, layer.input_chw[0], layer.output_chw[0], layer.settings.group)
            what = f"{shape}, {layer.experts} experts, routing '{layer.routing.name}'"
            return ConvolutionFact(path=finding.path, taken_for=COND_CONV, what=what, why=finding.proof)
        if is_mixconv(node):
            mixed = read_mixconv(node)
            parts = " | ".join(
                f"{'x'.join(map(str, branch.settings.kernel))} on {branch.in_channels}" for branch in mixed.branches
            )
            why = "consecutive channel slices of one value, each through a convolution, joined in the same order"
            return ConvolutionFact(path=finding.path, taken_for=MIX_CONV, what=parts, why=why)
    raise AssertionError  # a recognised layer has a named node


def _declined(finding: Declined) -> ConvolutionFact:
    what = f"{finding.node.op_type} '{finding.node.name}'"
    return ConvolutionFact(path=finding.path, taken_for=LEFT_ALONE, what=what, why=finding.reason)


def _static(node: ir.Node) -> ConvolutionFact:
    weight, source = node.inputs[1], node.inputs[0]
    assert weight is not None
    assert source is not None
    channels = static_shape(source)[1], static_shape(node.outputs[0])[1]
    what = _shape(static_shape(weight)[2:], *channels, attribute_int(node, "group", 1))
    return ConvolutionFact(path=module_path(node), taken_for=STATIC, what=what, why="its weight is stored")


def _shape(kernel: Sequence[int], channels_in: int, channels_out: int, group: int) -> str:
    groups = "" if group == 1 else f", {group} groups"
    return f"{'x'.join(map(str, kernel))} {channels_in} -> {channels_out}{groups}"
