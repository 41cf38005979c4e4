"""Names of forms and layers: read, or refused with the nearest that there is."""

from __future__ import annotations

import pytest

from condmix.exporters.errors import NotExportableError
from condmix.exporters.lower.driver import lower
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.layer_form import condconv_form, form_cuts, mixconv_form, named_layers, pointwise_form
from condmix.exporters.records import LayerForm
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import lower_with, operators, with_batch
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch


def two_of_one_module() -> Sketch:
    """Two CondConv layers that one module holds."""
    case = condconv_case(in_channels=4, out_channels=4, images=1)
    sketch = Sketch()
    sketch.input("x", (1, 4, 7, 5))
    sketch.input("routing", (1, 3))
    case.add_to(sketch, "x", "routing", "first", module="a")
    case.add_to(sketch, "first", "routing", "y", module="a")
    return sketch


def test_a_second_layer_of_a_module_has_a_number() -> None:
    model = two_of_one_module().model("y")
    assert [name for name, _ in named_layers(model.graph)] == ["a", "a#2"]
    forms = (LayerForm(layer="a#2", form="matmul", why="it was asked for"),)
    records = lower(model, with_batch(model, 1), condconv="kernel", mixconv="auto", forms=forms)
    assert [(record.path, record.form) for record in records] == [("a", "kernel"), ("a", "matmul")]
    assert records[1].why == "it was asked for"


@pytest.mark.parametrize(
    ("text", "found"), [("hoisted", ("hoisted", ())), ("hoisted@48", ("hoisted", (48,))), ("a@1,2", ("a", (1, 2)))]
)
def test_the_parts_of_a_name(text: str, found: tuple[str, tuple[int, ...]]) -> None:
    assert form_cuts(text) == found


@pytest.mark.parametrize("text", ["hoisted@", "hoisted@4,", "hoisted@x", "@4"])
def test_a_name_that_is_none_is_left_whole(text: str) -> None:
    assert form_cuts(text) == (text, ())
    assert isinstance(mixconv_form(text), FormRefusal)


def test_unknown_forms_are_refused_with_the_nearest() -> None:
    assert condconv_form("kernels") == FormRefusal(reason="CondConv has no form 'kernels': did you mean 'kernel'?")
    assert pointwise_form("tense") == FormRefusal(
        reason="a MixConv of 1x1 kernels has no form 'tense': did you mean 'dense'?"
    )
    assert mixconv_form("merged@4") == FormRefusal(reason="MixConv has no form 'merged@4': did you mean 'merged'?")
    refused = mixconv_form("zzz")
    assert isinstance(refused, FormRefusal)
    assert "known are 'parallel', 'hoisted', 'merged', 'parallel@48,96', 'hoisted@48,96'" in refused.reason


def test_a_cut_form_refuses_for_its_cuts_and_for_its_base() -> None:
    model = mixconv_case().sketch().model("y")
    with pytest.raises(NotExportableError) as caught:
        lower_with(model, 1, {"block.mix": "parallel@9"})
    assert caught.value.problems == ("block.mix: the cuts 9 must rise and lie between 0 and its 9 channels",)
    with pytest.raises(NotExportableError) as caught:
        lower_with(model, 1, {"block.mix": "hoisted@4"})
    assert "needs a convolution (and activation) in front" in caught.value.problems[0]


def test_layers_that_are_not_there_and_forms_that_do_not_serve_are_named_together() -> None:
    model = two_of_one_module().model("y")
    forms = [
        LayerForm(layer="b", form="kernel"),
        LayerForm(layer="a", form="kernel"),
        LayerForm(layer="a#2", form="hoisted"),
    ]
    with pytest.raises(NotExportableError) as caught:
        lower(model, with_batch(model, 2), condconv="auto", mixconv="auto", forms=forms)
    missing, one, two = caught.value.problems
    assert missing == "b: there is no such layer: unknown name 'b': known are 'a', 'a#2'"
    assert one == "a: `kernel` mixes one kernel a call: it needs --batch 1"
    assert two.startswith("a#2: CondConv has no form 'hoisted'")


def test_layers_without_a_form_follow_the_rule() -> None:
    model = two_of_one_module().model("y")
    lower(model, with_batch(model, 1), condconv="auto", mixconv="auto", forms=[LayerForm(layer="a", form="experts")])
    assert operators(model)["Conv"] == 3 + 1
