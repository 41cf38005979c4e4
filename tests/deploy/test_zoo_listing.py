"""condmix zoo."""

from __future__ import annotations

import json

import pytest

from condmix.deploy.zoo_listing import list_zoo
from condmix.models import counting, zoo
from condmix.models.errors import UnknownArchitectureError
from tests.deploy.conftest import Run


@pytest.mark.parametrize("count", [3, pytest.param(None, marks=pytest.mark.slow)])
def test_every_architecture_is_listed(condmix: Run, monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    names = zoo.names()[:count]
    monkeypatch.setattr(zoo, "names", lambda: names)
    ran = condmix("zoo")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[2:]] == list(names)
    assert "multiply-adds" not in ran.out
    assert ran.err == ""


def test_counts_are_those_of_the_network_itself() -> None:
    name = "mixnet_digits"
    said: list[str] = []
    (row,) = list_zoo([name], with_counts=True, report_progress=said.append)
    module = zoo.build(name)
    counted = counting.count(module, (1, 32, 32))
    assert (row.parameters, row.multiply_adds) == (counted.parameters, counted.multiply_adds)
    assert said == [f"count {name}"]


def test_one_architecture_with_its_settings(condmix: Run) -> None:
    ran = condmix("zoo", "condconv_digits", "--counts")
    assert "experts = 4" in ran.out
    assert "multiply-adds" in ran.out
    assert "arXiv 1904.04971" in ran.out


def test_json(condmix: Run) -> None:
    record = json.loads(condmix("zoo", "condconv_digits", "--json").out)
    (row,) = record["architectures"]
    assert row["settings"]["experts"] == 4
    assert row["input_size"] == [1, 32, 32]
    assert row["multiply_adds"] is None


def test_an_unknown_name_is_code_3_with_the_nearest(condmix: Run) -> None:
    ran = condmix("zoo", "mixnet_digit")
    assert ran.code == 3
    assert "nearest: mixnet_digits" in ran.err
    with pytest.raises(UnknownArchitectureError):
        list_zoo(["mixnet_digit"], with_counts=False, report_progress=lambda _text: None)
