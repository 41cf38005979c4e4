"""A plan is whole, or there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError
from condmix.deploy.format_choices import FormatChoices
from condmix.deploy.loading import Loading
from condmix.deploy.output_names import output_names
from condmix.deploy.plan import Plan
from condmix.deploy.tolerances import tolerances_for
from condmix.exporters.options import ExportOptions
from condmix.exporters.tflite.options import TfliteOptions


def _plan(onnx: ExportOptions | None, tflite: TfliteOptions | None) -> Plan:
    named = FormatChoices(onnx=ExportOptions(), tflite=None)
    choices = FormatChoices(onnx=onnx, tflite=tflite)
    return Plan(
        loading=Loading(model=Path("net.pt")),
        output=output_names(Path("net.pt"), None, named),
        choices=choices,
        tolerances=tolerances_for(choices, None),
        images=None,
        overwrite=False,
        command_line=(),
    )


def test_the_batch_is_that_of_every_format() -> None:
    assert _plan(ExportOptions(batch=None), None).batch is None
    assert _plan(None, TfliteOptions(batch=3)).batch == 3
    assert _plan(ExportOptions(batch=2), TfliteOptions(batch=2)).batch == 2


def test_formats_that_disagree_are_refused() -> None:
    with pytest.raises(PlanError, match="found these batches: 2, 3"):
        _plan(ExportOptions(batch=2), TfliteOptions(batch=3))


def test_a_plan_without_a_format_is_none() -> None:
    with pytest.raises(PlanError, match="found these batches: none"):
        _plan(None, None)
