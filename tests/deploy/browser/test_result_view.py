import json
from pathlib import Path

from condmix.deploy.browser.result_view import COLUMNS, result_view
from tests.deploy.browser.pieces import FACTS, PLAIN, posted_subject
from tests.deploy.browser.test_assemble import report_of


def test_the_phone_shows_verdict_figures_and_what_was_not_measured(tmp_path: Path) -> None:
    view = result_view(report_of(tmp_path, PLAIN, webgpu=True), PLAIN)
    assert json.loads(json.dumps(view)) == view
    assert (view["state"], view["verdict"]) == ("good", "VALID")
    first, again, *missing = view["rows"]
    assert first["name"] == "net@wasm"
    assert first["cells"][0] == "2.003 ms"
    assert first["cells"][-2:] == ["120", "right"]
    assert len(first["cells"]) == len(COLUMNS) - 1
    assert first["cells"][2] == "2.006 ms"
    assert "noise" in again["note"]
    assert [row["note"].partition(":")[0] for row in missing] == ["not measured", "not measured"]
    assert ["threads", "not offered: the page is not isolated"] in view["facts"]


def test_a_fault_is_shown_at_its_subject(tmp_path: Path) -> None:
    subjects = [posted_subject(name, off=0.1) for name in ("net@wasm", "net@4t@wasm", "net@wasm (again)")]
    subjects[1] |= {"failure": "out of memory", "openings": [], "outputs": []}
    subjects[1]["samples"] = {name: [] for name in subjects[1]["samples"]}
    view = result_view(report_of(tmp_path, subjects=subjects), FACTS)
    assert view["state"] == "bad"
    assert [row["state"] for row in view["rows"]] == ["bad"] * 3
    assert view["rows"][0]["cells"][-1] == "wrong"
    assert view["rows"][1]["note"] == "failed: out of memory"
    assert view["rows"][1]["cells"] == ["", "", "", "", "", "0", "not compared"]
