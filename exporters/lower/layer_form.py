"""The names of forms and of layers: what --tune decides and a forms file says, read.

A form is a name of its kind. MixConv's `parallel` and `hoisted` may carry the channels at which the layer is cut
instead of between its branches: `hoisted@48,96`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import onnx_ir as ir

from condmix.exporters.graph.facts import module_path
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import CONDCONV_FORMS, MIXCONV_FORMS
from condmix.exporters.lower.form import CondConvForm, FormRefusal, MixConvForm
from condmix.exporters.lower.mixconv_recut import cut_problem, recut
from condmix.exporters.lower.pointwise_groups import POINTWISE_FORMS, PointwiseForm, is_pointwise_groups
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.named.mixconv import MixConvLayer, is_mixconv
from condmix.runtime.records import unknown_name

CUTTABLE = ("parallel", "hoisted")
_CUT = re.compile(r"(?P<name>[a-z_]+)@(?P<cuts>\d+(,\d+)*)")


def named_layers(graph: ir.Graph) -> Iterator[tuple[str, ir.Node]]:
    """(name, node) of every CondConv, MixConv and grouped 1x1 MixConv of a rewritten graph, in its order."""
    seen: dict[str, int] = {}
    for node in graph:
        if is_condconv(node) or is_mixconv(node) or is_pointwise_groups(node):
            path = module_path(node)
            seen[path] = seen.get(path, 0) + 1
            yield path if seen[path] == 1 else f"{path}#{seen[path]}", node


def condconv_form(text: str) -> CondConvForm | FormRefusal:
    """The form of that name."""
    found = next((form for form in CONDCONV_FORMS if form.name == text), None)
    return found or _unknown(text, tuple(form.name for form in CONDCONV_FORMS), "CondConv")


def pointwise_form(text: str) -> PointwiseForm | FormRefusal:
    """The form of that name."""
    found = next((form for form in POINTWISE_FORMS if form.name == text), None)
    return found or _unknown(text, tuple(form.name for form in POINTWISE_FORMS), "a MixConv of 1x1 kernels")


def mixconv_form(text: str) -> MixConvForm | FormRefusal:
    """The form of that name, cut where it says."""
    name, cuts = form_cuts(text)
    found = next((form for form in MIXCONV_FORMS if form.name == name), None)
    if found is None or (cuts and name not in CUTTABLE):
        return _unknown(
            text, (*(form.name for form in MIXCONV_FORMS), *(f"{one}@48,96" for one in CUTTABLE)), "MixConv"
        )
    return found if not cuts else _cut(found, text, cuts)


def form_cuts(text: str) -> tuple[str, tuple[int, ...]]:
    """The name of a form, and the channels at which it is cut; none for its own branches."""
    match = _CUT.fullmatch(text)
    if match is None:
        return text, ()
    return match["name"], tuple(int(one) for one in match["cuts"].split(","))


def _cut(form: MixConvForm, text: str, cuts: tuple[int, ...]) -> MixConvForm:
    def refuse(layer: MixConvLayer, batch: BatchAxis) -> FormRefusal | None:
        problem = cut_problem(layer, cuts)
        return form.refuse(layer, batch) if problem is None else FormRefusal(reason=problem)

    return MixConvForm(name=text, refuse=refuse, build=lambda layer, batch: form.build(recut(layer, cuts), batch))


def _unknown(text: str, known: tuple[str, ...], kind: str) -> FormRefusal:
    return FormRefusal(reason=f"{unknown_name(text, known).replace('unknown name', f'{kind} has no form')}")
