"""Every layer belongs to one site; a grouped expansion to that of the MixConv behind it."""

from __future__ import annotations

import onnx_ir as ir

from condmix.exporters.rewrite.group_pointwise_mixconv import GroupPointwiseMixconv
from condmix.exporters.tune.sites import find_sites
from tests.exporters.graphs import rewrite
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch


def test_sites_are_in_the_order_of_the_graph(rewritten: ir.Model) -> None:
    sites = find_sites(rewritten.graph)
    assert [site.layers for site in sites] == [("cond",), ("depthwise",), ("mix",), ("project",)]
    assert [len(site.nodes) for site in sites] == [1, 1, 1, 1]


def test_a_grouped_expansion_is_tuned_with_what_it_expands_for() -> None:
    sketch = Sketch()
    sketch.input("x", (1, 4, 9, 8))
    expand = mixconv_case(in_channels=(2, 2), out_channels=(3, 3), kernels=(1, 1), groups=(1, 1))
    expand.add_to(sketch, "x", "expanded", module="b.expand")
    sketch.node("Relu", ["expanded"], "active", module="b.act")
    mixconv_case(in_channels=(3, 3), kernels=(3, 5)).add_to(sketch, "active", "mixed", module="b.mix")
    project = mixconv_case(in_channels=(3, 3), out_channels=(2, 2), kernels=(1, 1), groups=(1, 1))
    project.add_to(sketch, "mixed", "y", module="b.project")
    model = sketch.model("y")
    rewrite(model, GroupPointwiseMixconv())
    assert [site.layers for site in find_sites(model.graph)] == [("b.expand", "b.mix"), ("b.project",)]
