"""A graph with forms as the content of a file, for measuring: the steps of an export without its checks."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.finish import finish
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.driver import lower
from condmix.exporters.lower.keep_layout import has_mixconv, keep_layout
from condmix.exporters.lower.layer_form import named_layers
from condmix.exporters.records import LayerForm
from condmix.exporters.rewrite import TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.tune.candidates import Candidate
from condmix.exporters.tune.sites import Site


def written(model: ir.Model, batch: BatchAxis, opset: int, forms: Sequence[LayerForm], *, ends: bool = True) -> bytes:
    """The content; the graph is left as it was. Layers without a form follow the written rule.

    ends: whether inputs and outputs keep their channels; a block's need not, for in its network they would not.
    Raises NotExportableError.
    """
    copy = model.clone()
    generalise(copy, batch)
    mixed = has_mixconv(copy.graph)
    lower(copy, batch, condconv="auto", mixconv="auto", forms=forms)
    if mixed:
        keep_layout(copy, ends=ends)
    if batch.is_one:
        run_rules(copy, TIDY_RULES)
    content: bytes = finish(copy, opset, {}, check=False).SerializeToString()
    return content


def block_forms(block: ir.Model, site: Site, candidate: Candidate) -> tuple[LayerForm, ...]:
    """The candidate's forms under the names that the site's layers have in its block."""
    wanted = {node.name: form for node, form in zip(site.nodes, candidate.forms, strict=True)}
    return tuple(
        LayerForm(layer=layer, form=wanted[node.name])
        for layer, node in named_layers(block.graph)
        if node.name in wanted
    )
