"""The flags of tuning as typed: what contradicts what, and what the rest comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.tune.cache import default_cache
from condmix.deploy.tune.flags import TuneFlags, check_tune_flags, forms_of, take_tune_flags, tune_plan
from condmix.deploy.tune.plan import DEFAULT_SECONDS
from condmix.exporters.errors import FormsFileError
from tests.exporters.tune.test_forms_file import FILE

PLAIN = {"condconv": "auto", "mixconv": "auto", "stage": "final", "experts": None}


def problems(flags: TuneFlags, *typed: str, int8: bool = False, **others: object) -> tuple[str, ...]:
    try:
        check_tune_flags(flags, typed, {**PLAIN, **others}, int8=int8)
    except PlanError as error:
        return error.problems
    return ()


def test_nothing_typed_is_no_tuning() -> None:
    assert problems(TuneFlags()) == ()
    assert tune_plan(TuneFlags()) is None
    assert forms_of(TuneFlags()) is None


def test_flags_about_tuning_need_it() -> None:
    assert problems(TuneFlags(device="local"), "device", "tune_threads", "tune_seconds", "tune_cache") == (
        "--device is about tuning: add --tune",
        "--tune-threads is about tuning: add --tune",
        "--tune-seconds is about tuning: add --tune",
        "--tune-cache is about tuning: add --tune",
    )
    assert problems(TuneFlags(tune=True, device="local"), "device", "tune") == ()


def test_whoever_decides_the_forms_decides_alone() -> None:
    assert problems(TuneFlags(tune=True, forms=Path("f")), condconv="kernel", mixconv="merged") == (
        "--tune finds the forms, --forms brings them: leave one of them out",
        "--tune decides the form of every layer: it contradicts --condconv kernel",
        "--tune decides the form of every layer: it contradicts --mixconv merged",
        "--forms decides the form of every layer: it contradicts --condconv kernel",
        "--forms decides the form of every layer: it contradicts --mixconv merged",
    )
    assert problems(TuneFlags(tune=True), stage="named", experts="int8") == (
        "--tune decides the form of every layer: it contradicts --stage named",
        "--tune decides the form of every layer: it contradicts --experts int8",
    )
    assert problems(TuneFlags(tune=True), experts="float32") == ()
    assert problems(TuneFlags(tune=True), int8=True) == (
        "--tune is about float files: leave it out, or leave out --int8",
    )


def test_the_plan() -> None:
    plan = tune_plan(TuneFlags(tune=True))
    assert plan is not None
    assert (plan.device.name, plan.cache, plan.threads, plan.seconds) == ("local", default_cache(), 1, DEFAULT_SECONDS)
    plan = tune_plan(
        TuneFlags(tune=True, device="ssh://pi@board", tune_cache=Path("c"), tune_threads=4, tune_seconds=9)
    )
    assert plan is not None
    assert (plan.device.address.host, plan.cache, plan.threads, plan.seconds) == ("board", Path("c"), 4, 9)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (
            "emulated:cortex-a53",
            "an emulated CPU has no latency to choose by: tune on a real one, or bring its --forms",
        ),
        ("browser", "a browser runs one page of measurements, tuning needs dozens: use local, ssh:// or adb"),
    ],
)
def test_where_nothing_can_be_measured(device: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        tune_plan(TuneFlags(tune=True, device=device))
    assert caught.value.problems == (f"--device {device}: {said}",)


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="'nowhere' names no device"):
        tune_plan(TuneFlags(tune=True, device="nowhere"))


def test_forms_are_read_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "net.forms.json"
    path.write_bytes(FILE.content())
    assert forms_of(TuneFlags(forms=path)) == FILE
    path.write_bytes(b"{}")
    with pytest.raises(FormsFileError, match=r"net\.forms\.json: cannot be used as a file of forms"):
        forms_of(TuneFlags(forms=path))
    with pytest.raises(UnreadableFileError, match=r"gone\.json: cannot be read: No such file"):
        forms_of(TuneFlags(forms=tmp_path / "gone.json"))


def test_the_flags_are_taken_out_of_the_others() -> None:
    values: dict[str, object] = {**vars(TuneFlags(tune=True, tune_threads=2)), "calib": None}
    flags = take_tune_flags(values)
    assert (flags.tune, flags.tune_threads) == (True, 2)
    assert values == {"calib": None}
