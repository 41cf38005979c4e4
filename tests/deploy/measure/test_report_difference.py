"""Two reports: what was set differently, and that times of two machines are not compared."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from condmix.deploy.measure.report_difference import compare_reports, is_one_machine
from condmix.runtime.bench.report import BenchReport
from tests.runtime.bench.reports import AGREEMENT, ENVIRONMENT, SETTINGS, make_report, noisy_wall_ns

A, B = Path("a.json"), Path("b.json")


def _report(*, net_ns: float = 5e5, factor: float = 1.0, seed: int = 0, **more: float) -> BenchReport:
    centers = {"stock": 1e6, "net": net_ns, **more, "stock (again)": 1e6}
    walls = {name: noisy_wall_ns(factor * ns, seed=seed + place) for place, (name, ns) in enumerate(centers.items())}
    return make_report(walls)


def _elsewhere(report: BenchReport) -> BenchReport:
    cpu = dataclasses.replace(ENVIRONMENT.cpu, model_names=("another CPU",))
    return dataclasses.replace(report, environment_before=dataclasses.replace(ENVIRONMENT, cpu=cpu))


def test_the_same_machine_twice() -> None:
    found = compare_reports(A, _report(), B, _report(seed=9, net_ns=6e5))
    assert found.one_machine
    assert (found.settings, found.environment, found.only_a, found.only_b) == ({}, {}, (), ())
    stock, net = found.subjects
    assert (stock.name, stock.median_differs, stock.ratio) == ("stock", False, None)
    assert net.median_differs
    assert net.median_text(one_machine=True).startswith("0.5")
    assert "+20." in net.median_text(one_machine=True) or "+19." in net.median_text(one_machine=True)
    assert net.ratio is not None
    assert net.ratio.is_different
    assert stock.median_text(one_machine=True).endswith(", no difference")


def test_times_of_two_machines_are_shown_and_not_compared() -> None:
    found = compare_reports(A, _report(), B, _elsewhere(_report(seed=9, factor=3)))
    assert not found.one_machine
    assert found.notes[0].startswith("they were measured on different machines: times are not compared")
    assert found.environment["cpu"] == ("implementer 0x41 part 0xd05", "another CPU")
    for one in found.subjects:
        assert one.median_change is None
        assert not one.median_differs
        assert one.median_text(one_machine=False).endswith(", not compared")
    assert found.subjects[1].ratio is not None
    assert not found.subjects[1].ratio.is_different
    assert found.subjects[1].ratio_text().endswith("no difference")


@pytest.mark.parametrize("field", ["memory_total_bytes", "hypervisor", "cpu_quota_cores"])
def test_what_makes_another_machine(field: str) -> None:
    other = dataclasses.replace(ENVIRONMENT, **{field: 1})
    assert not is_one_machine(ENVIRONMENT, other)
    assert is_one_machine(ENVIRONMENT, dataclasses.replace(ENVIRONMENT, load_average=None))


def test_settings_versions_and_subjects_that_differ() -> None:
    new = dataclasses.replace(
        _report(seed=9, fresh=7e5),
        settings=dataclasses.replace(SETTINGS, openings=3),
        condmix_version="9.9",
        interrupted="interrupted by Ctrl-C after 3 rounds",
    )
    found = compare_reports(A, _report(gone=7e5), B, new)
    assert found.settings == {"openings": (2, 3), "condmix": ("0.1.0", "9.9")}
    assert (found.only_a, found.only_b) == (("gone",), ("fresh",))
    assert found.notes[1] == "b is half finished: interrupted by Ctrl-C after 3 rounds"


def test_another_first_subject_has_no_ratios() -> None:
    old, new = _report(), _report(seed=9)
    first = dataclasses.replace(
        new.subjects[0], sha256="1" * 64, agreement=dataclasses.replace(AGREEMENT, passed=False)
    )
    changed = dataclasses.replace(new, subjects=(first, *new.subjects[1:]))
    found = compare_reports(A, old, B, changed)
    assert "the first subject, to which ratios refer, is another file: ratios are not compared" in found.notes
    assert [one.ratio for one in found.subjects] == [None, None]
    assert found.subjects[0].facts == ("sha256: 000000000000 -> 111111111111", "outputs: verified -> WRONG")
    renamed = make_report({"x": noisy_wall_ns(1e6, seed=0), "x (again)": noisy_wall_ns(1e6, seed=1)})
    assert "is 'stock' in a, 'x' in b" in compare_reports(A, old, B, renamed).notes[1]


def test_it_is_plain_data() -> None:
    record = compare_reports(A, _report(), B, _report(seed=9)).to_dict()
    assert json.loads(json.dumps(record, allow_nan=False))["kind"] == "condmix-difference-reports"
