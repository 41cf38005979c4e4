"""Which form a layer gets: the one asked for or refused, else by the written rule with its reason."""

from __future__ import annotations

import numpy as np
import pytest

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import (
    CONDCONV_FORMS,
    DEPTHWISE_EXPERTS_LIMIT,
    MIXCONV_FORMS,
    CondConvChoice,
    MixConvChoice,
    choose_condconv,
    choose_mixconv,
)
from condmix.exporters.lower.form import CondConvForm, FormRefusal, MixConvForm
from condmix.exporters.named.condconv import CondConvLayer, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, read_mixconv
from tests.exporters.condconv_cases import condconv_case
from tests.exporters.graphs import produced_by
from tests.exporters.mixconv_cases import MixConvCase, mixconv_case
from tests.exporters.sketch import Sketch

ONE, FOUR, ANY = BatchAxis(size=1), BatchAxis(size=4), BatchAxis(size=None)


def condconv_layer(*, depthwise: bool = False, experts: int = 3) -> CondConvLayer:
    case = condconv_case(in_channels=6, group=6, experts=experts) if depthwise else condconv_case(experts=experts)
    return read_condconv(produced_by(case.sketch().model("y"), "y"))


def mixconv_layer(case: MixConvCase, *, expansion_groups: int | None) -> MixConvLayer:
    """The MixConv alone, or behind a 1x1 convolution in so many groups."""
    if expansion_groups is None:
        return read_mixconv(produced_by(case.sketch().model("y"), "y"))
    sketch = Sketch()
    sketch.input("x", (1, case.channels, *case.branches[0].input_size))
    weight = np.ones((case.channels, case.channels // expansion_groups, 1, 1), dtype=np.float32)
    sketch.node("Conv", ["x", sketch.constant("w", weight)], "expanded", group=expansion_groups)
    case.add_to(sketch, "expanded", "y")
    return read_mixconv(produced_by(sketch.model("y"), "y"))


def shown(choice: CondConvChoice | MixConvChoice | FormRefusal) -> tuple[str, str]:
    assert not isinstance(choice, FormRefusal)
    return choice.form.name, choice.why


@pytest.mark.parametrize("form", CONDCONV_FORMS, ids=lambda form: form.name)
def test_a_condconv_form_that_is_asked_for_is_taken_or_refused(form: CondConvForm) -> None:
    name = form.name
    for layer in (condconv_layer(), condconv_layer(depthwise=True)):
        for batch in (ONE, FOUR, ANY):
            choice = choose_condconv(layer, batch, name)
            refusal = form.refuse(layer, batch)
            if refusal is None:
                assert shown(choice) == (name, f"asked for: --condconv {name}")
            else:
                assert choice == refusal


@pytest.mark.parametrize("form", MIXCONV_FORMS, ids=lambda form: form.name)
def test_a_mixconv_form_that_is_asked_for_is_taken_or_refused(form: MixConvForm) -> None:
    name = form.name
    refusals = 0
    for case in (mixconv_case(), MIXING):
        for expansion_groups in (None, 1):
            layer = mixconv_layer(case, expansion_groups=expansion_groups)
            choice = choose_mixconv(layer, ANY, name)
            refusal = form.refuse(layer, ANY)
            if refusal is None:
                assert shown(choice) == (name, f"asked for: --mixconv {name}")
            else:
                refusals += 1
                assert choice == refusal
    assert refusals == {"parallel": 0, "hoisted": 3, "merged": 2}[name]


@pytest.mark.parametrize(
    ("depthwise", "experts", "batch", "expected"),
    [
        (
            False,
            3,
            ONE,
            ("kernel", "one image: mixing once and one convolution is the least arithmetic"),
        ),
        *(
            (
                False,
                experts,
                batch,
                ("matmul", "several images: one batched product, no group attribute and no baked batch"),
            )
            for batch in (FOUR, ANY)
            for experts in (3, 9)
        ),
        *(
            (
                True,
                DEPTHWISE_EXPERTS_LIMIT,
                batch,
                (
                    "experts",
                    "depthwise with 8 experts: static kernels stay in the runtime's fast layout, "
                    "a computed one does not",
                ),
            )
            for batch in (ONE, FOUR)
        ),
        *(
            (
                True,
                DEPTHWISE_EXPERTS_LIMIT + 1,
                batch,
                (
                    name,
                    "depthwise with 9 experts: so many static convolutions cost more than one computed kernel",
                ),
            )
            for batch, name in ((ONE, "kernel"), (FOUR, "grouped"))
        ),
        *((True, experts, ANY, ("experts", "depthwise at any batch: no kernel may be computed")) for experts in (2, 9)),
    ],
)
def test_the_rule_for_condconv(depthwise: bool, experts: int, batch: BatchAxis, expected: tuple[str, str]) -> None:
    layer = condconv_layer(depthwise=depthwise, experts=experts)
    assert shown(choose_condconv(layer, batch, "auto")) == expected


def test_what_the_rule_for_condconv_chooses_is_never_refused() -> None:
    for layer in (condconv_layer(depthwise=kind, experts=count) for kind in (False, True) for count in (1, 9)):
        for batch in (ONE, FOUR, ANY):
            choice = choose_condconv(layer, batch, "auto")
            assert isinstance(choice, CondConvChoice)
            assert choice.form.refuse(layer, batch) is None


MIXING = mixconv_case(in_channels=(2, 4), out_channels=(4, 2), kernels=(3, 5), groups=(1, 2))


@pytest.mark.parametrize(
    ("case", "expansion_groups", "name", "why"),
    [
        (MIXING, 1, "parallel", "branches that mix channels and do not form even groups"),
        (
            mixconv_case(),
            None,
            "merged",
            "no expansion of its own in front: one kernel holds all branches",
        ),
        (
            mixconv_case(in_channels=(16, 32), kernels=(3, 5)),
            1,
            "hoisted",
            "branches of 16+32 channels: no Split, each has its own expansion, in whole blocks",
        ),
        (
            mixconv_case(in_channels=(16, 16), kernels=(3, 5)),
            2,
            "hoisted",
            "branches of 16+16 channels: no Split, each has its own expansion, in whole blocks",
        ),
        (
            mixconv_case(in_channels=(28, 28), kernels=(3, 5)),
            2,
            "hoisted",
            "branches of 28+28 channels: no Split, each has its own expansion, in whole blocks",
        ),
        (
            mixconv_case(in_channels=(6, 7), kernels=(3, 5), input_size=(8, 8)),
            1,
            "hoisted",
            "on a map of 8x8 a merged kernel would be mostly zeros: own expansions",
        ),
        (
            mixconv_case(in_channels=(6, 7), kernels=(3, 5), input_size=(9, 8)),
            1,
            "merged",
            "branches of 6+7 channels are narrow for blocks of 16: one kernel for all",
        ),
        (
            mixconv_case(in_channels=(6, 7), kernels=(3, 5), input_size=(8, 8)),
            13,
            "merged",
            "the 13 groups of the expansion would cut the branches into 13 pieces",
        ),
    ],
)
def test_the_rule_for_mixconv(case: MixConvCase, expansion_groups: int | None, name: str, why: str) -> None:
    layer = mixconv_layer(case, expansion_groups=expansion_groups)
    choice = choose_mixconv(layer, ONE, "auto")
    assert shown(choice) == (name, why)
    assert isinstance(choice, MixConvChoice)
    assert choice.form.refuse(layer, ONE) is None
