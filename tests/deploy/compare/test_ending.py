"""How a comparison ends: ours may not be wrong, others' may."""

from __future__ import annotations

from dataclasses import replace

from condmix.deploy.compare.ending import ending
from condmix.deploy.compare.table import Row
from condmix.deploy.compare.write import Comparison
from condmix.deploy.exit_codes import ExitCode
from tests.runtime.bench.reports import make_report

RIGHT, WRONG = Row(name="a", agrees=True), Row(name="half", agrees=False)


def test_all_is_well() -> None:
    assert ending(Comparison(rows=(RIGHT,), report=make_report())) == (ExitCode.OK, ())


def test_a_wrong_file_of_ours_or_given_is_a_failure_and_a_stock_file_is_not() -> None:
    code, lines = ending(Comparison(rows=(RIGHT, WRONG), report=make_report()))
    assert code is ExitCode.PARITY
    assert lines == ("outputs are wrong: half; their times mean nothing until that is mended",)
    stock = Comparison(rows=(RIGHT, WRONG), report=make_report(), foreign=frozenset({"half"}))
    assert ending(stock) == (ExitCode.OK, ())


def test_a_rejected_file_is_a_failure() -> None:
    code, lines = ending(Comparison(rows=(RIGHT,), report=make_report(), rejected=("condmix int8 ONNX",)))
    assert (code, lines) == (ExitCode.PARITY, ("rejected: condmix int8 ONNX",))


def test_a_lost_file_and_an_interruption() -> None:
    report = make_report()
    lost = replace(report.subjects[1], failure="killed")
    report = replace(report, subjects=(report.subjects[0], lost, report.subjects[2]))
    code, lines = ending(Comparison(rows=(RIGHT,), report=report))
    assert (code, lines) == (ExitCode.INPUT, ("lost while measuring: half",))
    code, lines = ending(Comparison(rows=(RIGHT,), report=replace(report, interrupted="interrupted by Ctrl-C")))
    assert code is ExitCode.INTERRUPTED
    assert lines[-1] == "interrupted by Ctrl-C; all samples up to then are kept"
