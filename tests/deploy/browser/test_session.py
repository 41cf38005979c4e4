import dataclasses
from pathlib import Path

import pytest

from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.session import RefusedError
from condmix.runtime.errors import InvalidRecordError
from tests.deploy.browser.pieces import FACTS, model_content, posted_run, session_of, subject_files


def test_the_plan_has_the_control_last_and_says_where_the_files_are(tmp_path: Path) -> None:
    session = session_of(subject_files(tmp_path), all_cores=True, webgpu=True)
    plan = session.claim(FACTS.to_dict())
    assert [one["name"] for one in plan["subjects"]] == ["net@wasm", "net@4t@wasm", "net@webgpu", "net@wasm (again)"]
    assert {one["model"] for one in plan["subjects"]} == {0}
    assert plan["models"] == [{"path": "model/0"}]
    assert plan["feeds"][0]["count"] == 3
    assert session.model_content(0) == model_content()
    assert session.model_content(1) is None
    assert len(session.feeds_content(0)) == 3 * 4 * 4
    assert session.feeds_content(-1) is None


def test_a_page_opened_later_takes_the_run_over(tmp_path: Path) -> None:
    session = session_of(subject_files(tmp_path))
    earlier, later = session.claim(FACTS.to_dict()), session.claim(FACTS.to_dict())
    with pytest.raises(RefusedError, match="opened last") as caught:
        session.hand_in(posted_run(earlier))
    assert caught.value.status == 409
    assert not session.ended.is_set()
    session.hand_in(posted_run(later))
    assert session.report is not None


@pytest.mark.parametrize("nonce", ["", "x", "é", None, 7])
def test_a_stranger_with_the_address_cannot_end_the_run(tmp_path: Path, nonce: object) -> None:
    session = session_of(subject_files(tmp_path))
    plan = session.claim(FACTS.to_dict())
    with pytest.raises(RefusedError):
        session.hand_in(posted_run(plan, nonce=nonce))
    with pytest.raises(RefusedError):
        session.hand_in([])
    assert not session.ended.is_set()


def test_a_report_is_taken_once(tmp_path: Path) -> None:
    session = session_of(subject_files(tmp_path))
    plan = session.claim(FACTS.to_dict())
    session.hand_in(posted_run(plan))
    report = session.report
    with pytest.raises(RefusedError):
        session.hand_in(posted_run(plan, rounds=7))
    assert session.report is report
    assert not session.is_token(session.token)


def test_nothing_is_taken_before_a_page_was_opened(tmp_path: Path) -> None:
    session = session_of(subject_files(tmp_path))
    assert not session.is_claimed
    with pytest.raises(RefusedError):
        session.hand_in(posted_run({"nonce": "", "subjects": []}))


def test_a_report_that_is_none_ends_the_run_by_name(tmp_path: Path) -> None:
    session = session_of(subject_files(tmp_path))
    plan = session.claim(FACTS.to_dict())
    with pytest.raises(RefusedError) as caught:
        session.hand_in(posted_run(plan, extra=1))
    assert caught.value.status == 422
    assert session.ended.is_set()
    assert session.report is None
    assert "unknown name 'extra'" in str(session.error)


def test_progress_is_told_and_answers_whether_to_stop(tmp_path: Path) -> None:
    told: list = []
    session = session_of(subject_files(tmp_path), told=told)
    nonce = session.claim(FACTS.to_dict())["nonce"]
    assert session.progress({"nonce": nonce, "stage": "measuring, round 3", "part": 0.25}) == {"stop": None}
    assert [one.sentence() for one in told] == [
        "opened in Chrome 156 on Android 16, Pixel, 8 cores (0%)",
        "measuring, round 3 (25%)",
    ]
    session.stop("interrupted by Ctrl-C")
    assert session.progress({"nonce": nonce, "stage": "x", "part": 1})["stop"] == "interrupted by Ctrl-C"
    session.hand_in(
        posted_run(
            {"nonce": nonce, "subjects": [{"name": "net@wasm"}, {"name": "net@wasm (again)"}]}, interrupted="asked"
        )
    )
    assert session.report.interrupted == "interrupted by Ctrl-C"


@pytest.mark.parametrize("changes", [{"part": 2}, {"part": -0.1}, {"stage": "\x1b[2J"}, {"extra": 1}, {"part": "1"}])
def test_progress_out_of_bounds_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    told: list = []
    session = session_of(subject_files(tmp_path), told=told)
    nonce = session.claim(FACTS.to_dict())["nonce"]
    with pytest.raises(InvalidRecordError):
        session.progress({"nonce": nonce, "stage": "x", "part": 0, **changes})
    assert len(told) == 1


def test_a_browser_that_can_run_nothing_of_it_ends_the_run(tmp_path: Path) -> None:
    facts = dataclasses.replace(FACTS, hardware_concurrency=1)
    session = session_of(subject_files(tmp_path, threads=2))
    with pytest.raises(RefusedError, match="2 threads were asked for"):
        session.claim(facts.to_dict())
    assert isinstance(session.error, BrowserError)


def test_a_file_that_changed_since_is_not_served(tmp_path: Path) -> None:
    files = subject_files(tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"something else")
    with pytest.raises(BrowserError, match="was changed"):
        session_of(files)
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(BrowserError, match="No such file"):
        session_of(files)
