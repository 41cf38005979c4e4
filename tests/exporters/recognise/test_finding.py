"""The two things that recognition can say of a place."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir
import pytest

from condmix.exporters.graph.splice import Replacement
from condmix.exporters.recognise.finding import Declined, Recognised


def test_a_mixconv_has_no_routing_value() -> None:
    node = ir.node("Concat", [])
    found = Recognised(path="a", node=node, replacement=Replacement(removed=(node,), results=()))
    assert found.routing_names == ()


def test_a_finding_cannot_be_changed() -> None:
    declined = Declined(path="a", node=ir.node("Conv", []), reason="because")
    with pytest.raises(dataclasses.FrozenInstanceError):
        declined.reason = "other"  # type: ignore[misc]
