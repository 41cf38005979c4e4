"""Cases x stages: every network exports as expected, and every stage of every build computes what PyTorch computes."""

from __future__ import annotations

import importlib.util

import pytest

from tests.conformance.case import ConformanceCase
from tests.conformance.cases import CASES, DYNAMIC_REFUSED, MORE_EXPORTS, NIGHTLY, NIGHTLY_DETECTORS, QUICK, marks
from tests.conformance.detectors import DETECTOR_CASES
from tests.conformance.faults import faults
from tests.conformance.proof import prove
from tests.foreign.cases import FOREIGN_CASES
from tests.models.zoo_names import CLASSIFIERS, DETECTORS


def test_every_network_of_the_zoo_and_every_foreign_style_is_a_case() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert {case.name for case in CASES if case.source == "zoo"} == set(CLASSIFIERS)
    detectors = [case.name for case in DETECTOR_CASES]
    # What is trained on shapes is a detector of another name with fewer channels.
    assert {name.split(",")[0] for name in detectors} == {name for name in DETECTORS if not name.endswith("_shapes")}
    assert {f"ssd_condconv_mobilenet_v1, width {width}" for width in ("0.5", "0.75", "1")} < set(detectors)
    assert set(NIGHTLY_DETECTORS) < set(detectors)
    foreign = [case.name for case in FOREIGN_CASES]
    assert set(foreign) <= set(names)
    assert len(foreign) == 63
    assert sum(name.startswith("timm:") for name in names) == 14
    for mentioned in (MORE_EXPORTS, DYNAMIC_REFUSED, QUICK, NIGHTLY):
        assert set(mentioned) <= set(names)


def test_every_form_is_forced_at_every_batch_it_serves() -> None:
    forced = {
        (name, getattr(options, name), options.batch)
        for case in CASES
        for options in (export.options for export in case.exports if not export.refused)
        for name in ("condconv", "mixconv")
    }
    assert {
        ("condconv", "kernel", 1),
        ("condconv", "grouped", 1),
        ("condconv", "grouped", 3),
        ("condconv", "matmul", 1),
        ("condconv", "matmul", 3),
        ("condconv", "experts", 1),
        ("condconv", "experts", None),
        ("condconv", "blocked", 1),
        ("mixconv", "parallel", 1),
        ("mixconv", "parallel", None),
        ("mixconv", "hoisted", 1),
        ("mixconv", "hoisted", None),
        ("mixconv", "merged", 1),
        ("mixconv", "merged", None),
    } <= forced


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=marks(case.name, quick=case.quick)) for case in (*CASES, *DETECTOR_CASES)],
)
def test_a_network_exports_as_expected_and_every_stage_holds(case: ConformanceCase) -> None:
    """One test a network, because the capture is the costly part and serves all builds."""
    if case.needs is not None and importlib.util.find_spec(case.needs) is None:
        pytest.skip(f"{case.name} needs the optional package {case.needs}, which is not installed")
    assert faults(prove(case)) == []
