"""Candidates are measured by the bench, through whatever device; its report becomes ratios."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from condmix.deploy.devices.errors import DeviceError
from condmix.deploy.tune.measuring import BLOCK, NETWORK, SCREEN, Machine, Measuring
from condmix.runtime.bootstrap import MINIMUM_ROUNDS_FOR_INTERVAL
from tests.deploy.devices.boards import BRIEF, make_board
from tests.deploy.tune.conftest import CPU, MACHINE, RealDevice


def test_a_run_has_a_ratio_with_an_interval_for_every_file(adding: Callable[[int], bytes]) -> None:
    device = RealDevice()
    found = Measuring(device, threads=1, batch=None).run(
        {"few": adding(1), "many": adding(400), "broken": b"no model"}, BLOCK
    )
    few, many, broken = found.candidates
    assert (few.name, few.ratio, many.name, broken.name) == ("few", 1.0, "many", "broken")
    assert many.ratio is not None
    assert many.ratio > 1
    assert many.low is not None
    assert many.high is not None
    assert many.low <= many.ratio <= many.high
    assert found.noise_floor is not None
    assert found.median_ms is not None
    assert broken.ratio is None
    assert "onnxruntime" in str(broken.failure)
    assert {subject.threads for subject in device.plans[0].subjects} == {1}


def test_a_first_file_that_is_lost_leaves_no_ratio(adding: Callable[[int], bytes]) -> None:
    found = Measuring(RealDevice(), threads=1, batch=None).run({"broken": b"no", "few": adding(1)}, BLOCK)
    assert [one.ratio for one in found.candidates] == [None, None]
    assert found.candidates[1].failure == "no round in common with the first candidate"
    assert found.fastest().name == "broken"


def test_the_machine_tells_what_it_is() -> None:
    machine = Measuring(RealDevice(), threads=1, batch=4).machine()
    assert machine.name == "board"
    assert machine.runtime.startswith("onnxruntime 1.")
    assert machine.facts()["architecture"] == machine.cpu.architecture


def test_an_emulated_cpu_is_refused() -> None:
    with pytest.raises(
        DeviceError, match="board: tune: its CPU is emulated: how long something takes there says nothing"
    ):
        Measuring(RealDevice(emulated=True), threads=1, batch=None).machine()


def test_an_interruption_ends_the_tuning(adding: Callable[[int], bytes]) -> None:
    with pytest.raises(KeyboardInterrupt):
        Measuring(RealDevice(interrupted=True), threads=1, batch=None).run({"few": adding(1)}, BLOCK)


@pytest.mark.parametrize("settings", [SCREEN, BLOCK, NETWORK])
def test_there_are_rounds_enough_for_an_interval(settings: object) -> None:
    from condmix.runtime.bench.settings import BenchSettings

    assert isinstance(settings, BenchSettings)
    assert settings.minimum_runs // settings.block >= MINIMUM_ROUNDS_FOR_INTERVAL


def test_words_of_a_machine() -> None:
    assert MACHINE.sentence() == "a CPU"
    nameless = Machine(name="n", cpu=type(CPU)(**{**vars(CPU), "model_names": ()}), runtime="r")
    assert nameless.sentence() == "x86_64"
    assert MACHINE.facts() == {
        "architecture": "x86_64",
        "model_names": ["a CPU"],
        "features": ["AVX2"],
        "runtime": "onnxruntime 9.9",
    }


@pytest.mark.slow
def test_a_board_is_measured_through_its_session(
    adding: Callable[[int], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board(tmp_path, monkeypatch)
    device = board.device()
    measuring = Measuring(device, threads=1, batch=None)
    try:
        machine = measuring.machine()
        found = [measuring.run({"few": adding(1), "many": adding(400)}, BRIEF) for _ in range(2)]
    finally:
        device.close()
    assert machine.name == "pi"
    for run in found:
        assert run.candidates[1].ratio is not None
        assert run.candidates[1].ratio > 1
        assert run.noise_floor is not None
    assert board.left() == set()
