"""Why a layer has its form, in figures."""

from __future__ import annotations

from condmix.exporters.tune.assembly import SiteClass, proposals
from condmix.exporters.tune.candidates import Candidate
from condmix.exporters.tune.reasons import reasons
from tests.exporters.tune.test_assembly import ONE, TWO, site_class

LATE = SiteClass(
    signature="late",
    description="",
    layers=(("z",),),
    candidates=(Candidate(forms=("kernel",)),),
    run=None,
    skipped="late",
)
ALONE = site_class("alone", {"kernel": 1.0})


def test_each_kind_of_reason() -> None:
    classes = (ONE, TWO, LATE, ALONE)
    sure = proposals(classes)[1]
    assert reasons(classes, sure, {}, "a CPU") == {
        "one": "its block measured 0.80 (0.79 to 0.81) of `hoisted` on a CPU, noise floor 0.02",
        "two": "measured on a CPU: `hoisted` takes 0.99 (0.98 to 1.00) of its time in its block, noise floor 0.02",
        "late": "by the written rule, not measured: late",
        "alone": "no other form could be measured on a CPU",
    }
    words = "0.97 (0.96 to 0.98) of the one with `merged`"
    assert reasons(classes, sure, {"two": words}, "a CPU")["two"] == (
        "the whole network measured 0.97 (0.96 to 0.98) of the one with `merged` with it, on a CPU"
    )
