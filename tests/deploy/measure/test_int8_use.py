"""Every int8 file of a report is looked into once; float files, lost subjects and the control are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from condmix.deploy.measure.int8_use import int8_use
from condmix.deploy.report.extras import read_extras
from condmix.runtime.bench.report import BenchReport
from tests.runtime.audit.onnx_files import IMAGE_CHW, write_static
from tests.runtime.bench.reports import make_report


def _report(file: Path, precisions: dict[str, str]) -> BenchReport:
    report = make_report()
    subjects = tuple(
        replace(
            record,
            precision=precisions.get(record.name, "float32"),
            subject=replace(record.subject, file=file),
            inputs={"image": (1, *IMAGE_CHW)},
        )
        for record in report.subjects
    )
    return replace(report, subjects=subjects)


def test_int8_subjects_have_what_the_page_reads(tmp_path: Path) -> None:
    file = write_static(tmp_path)
    names = [record.name for record in make_report().subjects]
    report = _report(file, dict.fromkeys(names, "int8"))
    found = int8_use(report)
    assert set(found) == {*names} - {report.control}
    use = read_extras({"int8": found}).int8[names[0]]
    assert "of multiply-adds run in int8" in use.verdict


def test_float_subjects_are_not_looked_into() -> None:
    assert int8_use(_report(Path("not there.onnx"), {})) == {}


def test_a_file_that_cannot_be_looked_into_has_no_entry(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    names = [record.name for record in make_report().subjects]
    assert int8_use(_report(broken, dict.fromkeys(names, "int8"))) == {}
