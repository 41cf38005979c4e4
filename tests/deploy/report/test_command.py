"""condmix report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from condmix.deploy.commands.report import report
from condmix.deploy.exit_codes import ExitCode
from condmix.deploy.json_text import to_json
from condmix.deploy.report.write import NAMES
from tests.deploy.report.synthetic import full_report, shortened

RECORD = shortened(full_report(), 3).to_dict()


def _run(*arguments: object) -> Result:
    result = CliRunner().invoke(report, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output + result.stderr
    return result


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_text(to_json(RECORD))
    return path


def test_a_report_is_rendered_again(source: Path, tmp_path: Path) -> None:
    ran = _run(source, "-o", tmp_path / "pages")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        shortened(full_report(), 3).verdict.first_line(),
        f"report: {tmp_path / 'pages' / 'report.html'}",
    ]
    assert {path.name for path in (tmp_path / "pages").iterdir()} == set(NAMES)


def test_beside_its_own_json_only_with_permission(source: Path, tmp_path: Path) -> None:
    ran = _run(source, "-o", tmp_path)
    assert ran.exit_code == ExitCode.USAGE
    assert "report.json" in ran.stderr
    before = source.read_text()
    assert _run(source, "-o", tmp_path, "-f").exit_code == 0
    assert source.read_text() == before


def test_json(source: Path, tmp_path: Path) -> None:
    record = json.loads(_run(source, "-o", tmp_path / "pages", "--json").stdout)
    assert (record["kind"], record["schema_version"]) == ("condmix-report-written", 1)
    assert [Path(path).name for path in record["paths"]] == list(NAMES)
    assert record["verdict"].startswith("NOISY: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "report"),
        ('{"kind": "condmix-audit", "schema_version": 1}', "condmix-audit"),
        (to_json({**RECORD, "schema_version": 99}), "newer condmix"),
        (to_json({key: value for key, value in RECORD.items() if key != "rounds"}), "rounds"),
        (to_json({**RECORD, "subjects": []}), "control"),
        (to_json({**RECORD, "sections": {"accuracy": {"a": {"top1": 2}}}}), "sections.accuracy['a'].top1"),
        (json.dumps({**RECORD, "sections": {"x": float("inf")}}), "not finite"),
        ("\x00\xff", "not JSON"),
    ],
)
def test_other_files_are_named_errors(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.json"
    path.write_text(text, encoding="latin-1" if "\xff" in text else "utf-8")
    ran = _run(path, "-o", tmp_path / "pages", "--json")
    assert ran.exit_code == ExitCode.INPUT
    assert words in ran.stderr
    assert json.loads(ran.stdout)["error"]["type"] == "UnreadableFileError"
    assert not (tmp_path / "pages").exists()


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        ran = _run(path, "-o", tmp_path / "pages")
        assert ran.exit_code == ExitCode.INPUT
        assert str(path) in ran.stderr
