"""The proof as a record: what passes, what warns, and plain data for the file beside the model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from condmix.exporters.verify.records import (
    LEAST_SPREAD,
    Blame,
    ImageFacts,
    RoutingSpread,
    StageParity,
    Verification,
)
from condmix.runtime.parity import compare
from condmix.runtime.parity_report import ParityReport
from condmix.runtime.tolerance import Tolerance


def report(error: float) -> ParityReport:
    reference = np.ones((2, 3))
    tolerance = Tolerance.for_precision("float32")
    return compare(
        {"logits": reference},
        {"logits": (reference + error).astype(np.float32)},
        tolerance=tolerance,
        own_float32=None,
        context={},
    )


def facts(**spreads: float) -> ImageFacts:
    routing = RoutingSpread(largest_difference=spreads)
    return ImageFacts(count=2, sources=("noise x1", "digit 3"), sha256="ab", routing=routing)


def verification(*errors: float, blame: Blame | None = None, **spreads: float) -> Verification:
    stages = tuple(
        StageParity(stage=f"s{index}", threads=1, report=report(error)) for index, error in enumerate(errors)
    )
    return Verification(images=facts(**spreads), stages=stages, batches=None, blame=blame)


def test_every_stage_must_pass() -> None:
    assert verification(0.0, 1e-6).passed
    assert not verification(0.0, 1e-3, 0.0).passed
    assert not verification(float("nan")).passed


def test_the_final_report_is_that_of_the_last_stage() -> None:
    result = verification(1e-3, 1e-6)
    assert result.final is result.stages[-1].report


def test_a_routing_that_moves_is_no_warning() -> None:
    result = verification(0.0, a=0.5, b=2 * LEAST_SPREAD)
    assert result.warnings == ()
    assert result.images.routing.smallest == 2 * LEAST_SPREAD


def test_a_routing_that_stands_still_is_a_warning_that_names_it() -> None:
    result = verification(0.0, a=0.5, b=LEAST_SPREAD, c=0.0, d=0.0, e=0.0)
    assert result.passed
    assert result.warnings == (
        "the routing of 4 CondConv blocks does not move between the verification images (b, c, d): "
        "parity says nothing about how their experts are mixed; is the network trained?",
    )


def test_a_network_without_condconv_has_nothing_to_warn_of() -> None:
    result = verification(0.0)
    assert result.warnings == ()
    assert result.images.routing.smallest is None


def test_the_record_is_json() -> None:
    blame = Blame(stage="s1", module_path="a.b", value_name="v", report=report(1e-3))
    data = verification(0.0, 1e-3, blame=blame, r=0.25).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["passed"] is False
    assert data["warnings"] == []
    assert data["images"] == {
        "count": 2,
        "sources": ["noise x1", "digit 3"],
        "sha256": "ab",
        "routing_spread": {"r": 0.25},
    }
    stages = data["stages"]
    assert isinstance(stages, list)
    assert [(stage["stage"], stage["threads"], stage["engine"]) for stage in stages] == [
        ("s0", 1, "onnxruntime"),
        ("s1", 1, "onnxruntime"),
    ]
    found = data["blame"]
    assert isinstance(found, dict)
    assert (found["stage"], found["module"], found["value"]) == ("s1", "a.b", "v")
    assert verification(0.0).to_dict()["blame"] is None
    assert verification(0.0).to_dict()["batches"] is None


def test_experts_that_no_image_opens_are_named_in_a_note() -> None:
    assert verification(0.0, a=0.5).notes == ()
    idle = {"r0": (1, 3), "r1": (0,), "r2": (2,), "r3": (0,)}
    routing = RoutingSpread(largest_difference=dict.fromkeys(idle, 0.5), idle=idle)
    result = verification(0.0)
    noted = replace(result, images=replace(result.images, routing=routing))
    (note,) = noted.notes
    assert note.startswith(
        "no verification image opens experts 1, 3 of 'r0', expert 0 of 'r1', expert 2 of 'r2' and of 1 more block: "
    )
    assert "parity says nothing of what is stored for them" in note
    # Its experts are not known to be wrong: the file passes.
    assert noted.passed
    assert noted.to_dict()["notes"] == [note]
