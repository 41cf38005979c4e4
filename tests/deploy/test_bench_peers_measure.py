"""The interleaved run: real processes around a fake engine, right and wrong ones."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from condmix.deploy.bench.peers_check import bound, laid_out, real
from condmix.deploy.bench.peers_measure import (
    MeasuredRow,
    Measurement,
    PeerSettings,
    measure_rows,
    starter,
)
from condmix.deploy.bench.peers_rows import INT8, PeerRow, Reference
from condmix.runtime.bench.timing import Bench, Opened
from condmix.runtime.piped_process import WorkerEndedError
from condmix.runtime.signature import Signature, Tensor, TensorSpec
from condmix.runtime.tflite_worker import Head
from tests.deploy.peer_fakes import CLASSES, SHAPE, openvino_environment, reference, row

FEW = PeerSettings(rounds=20, block=2, warmup_runs=1)


class _Session:
    """Gives what PyTorch gives, after so many seconds, and notes who ran when."""

    def __init__(self, name: str, seconds: float, log: list[str]) -> None:
        self._name, self._seconds, self._log = name, seconds, log
        self.signature = Signature(
            inputs=(TensorSpec(name="images", shape=(1, *SHAPE), dtype="float32"),),
            outputs=(TensorSpec(name="logits", shape=(1, CLASSES), dtype="float32"),),
        )

    def run_checked(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self._log.append(self._name)
        time.sleep(self._seconds)
        logits = 2 * feeds["images"].astype(np.float64).mean((2, 3)) @ np.ones((3, CLASSES))
        return {"logits": logits.astype(np.float32)}


class _Worker:
    """The real timing without a process; dies in its n-th turn."""

    def __init__(self, session: _Session, dies_in_turn: int) -> None:
        self._bench = Bench(lambda _head: Opened(session=session, engine_version="1", load_ns=1))
        self._turns_left = dies_in_turn
        self.closed = False

    def receive(self, *, timeout_seconds: float) -> tuple[Head, dict[str, Tensor]]:
        assert timeout_seconds > 0
        return {"kind": "ready"}, {}

    def ask(
        self, head: Mapping[str, object], arrays: Mapping[str, Tensor], *, timeout_seconds: float
    ) -> tuple[Head, dict[str, Tensor]]:
        assert timeout_seconds > 0
        assert not self.closed
        self._turns_left -= head["kind"] == "turn"
        if not self._turns_left:
            text = "the worker process ended with signal SIGKILL"
            raise WorkerEndedError(text)
        return self._bench.answer(dict(head), {name: np.array(array) for name, array in arrays.items()})

    def close(self) -> None:
        self.closed = True


def _measured(
    seconds: Mapping[str, float], settings: PeerSettings = FEW, dies: Mapping[str, int] | None = None
) -> tuple[Measurement, list[str], list[_Worker]]:
    log: list[str] = []
    workers: list[_Worker] = []

    def start(one: PeerRow, _core: int | None) -> _Worker:
        workers.append(_Worker(_Session(one.name, seconds[one.name], log), (dies or {}).get(one.name, -1)))
        return workers[-1]

    rows = [row(name) for name in seconds]
    return measure_rows("net", rows, {"network": reference()}, Path("nowhere"), settings, start), log, workers


def _files(folder: Path, models: Mapping[str, str]) -> list[PeerRow]:
    for name, text in models.items():
        (folder / f"{name}.xml").write_text(text)
    return [row(name) for name in models]


def test_rows_take_turns_and_ratios_have_intervals() -> None:
    result, log, workers = _measured({"base": 0.001, "twice": 0.002})
    base, twice = result.rows
    assert len(base.samples) == len(twice.samples) == len(result.control.samples) == 40
    assert base.samples.round == tuple(number for number in range(20) for _ in range(2))
    ratio = result.ratio(twice, base)
    assert ratio.low is not None
    assert ratio.high is not None
    assert 1.2 < ratio.low <= (ratio.ratio or 0) <= ratio.high < 2.5
    assert result.noise_floor() is not None
    assert all(worker.closed for worker in workers)
    # In rounds: after the warm-up nobody runs twice as often as another (2 runs and 1 that is not timed a turn).
    tail = log[-9 * 15 :]
    assert tail.count("twice") == 45


def test_openings_have_the_turns_in_turn() -> None:
    settings = PeerSettings(rounds=20, block=2, warmup_runs=1, openings=2)
    result, _, workers = _measured({"base": 0.0002, "other": 0.0002}, settings)
    assert len(workers) == 6  # two of each, and of the control
    assert result.rows[1].samples.opening == tuple(number % 2 for number in range(20) for _ in range(2))
    assert all(worker.closed for worker in workers)


def test_a_slow_row_has_fewer_turns() -> None:
    settings = PeerSettings(rounds=30, block=2, warmup_runs=1, slow_seconds=0.003, slow_rounds=20)
    result, _, _ = _measured({"base": 0.0005, "slow": 0.004}, settings)
    base, slow = result.rows
    assert (len(base.samples), len(slow.samples)) == (60, 20)
    ratio = result.ratio(slow, base)
    assert ratio.low is not None
    assert ratio.low > 2


def test_a_row_that_dies_is_lost_and_the_others_go_on() -> None:
    result, _, _ = _measured({"base": 0.0005, "dying": 0.0005}, dies={"dying": 3})
    base, dying = result.rows
    assert dying.failure == "the worker process ended with signal SIGKILL"
    assert (len(base.samples), len(dying.samples)) == (40, 4)
    assert not dying.is_measured


def test_processes_in_their_environments(tmp_path: Path) -> None:
    """Through the pipes: right, wrong, not finite, refused, dead, not converted, without an environment."""
    python = openvino_environment(tmp_path / "environment") / "bin" / "python"
    models = {"right": "2.0", "wrong": "2.01", "nan": "nan", "refusing": "85", "dying": "99", "broken": "model"}
    rows = _files(tmp_path, models)
    rows += [row("rounded", file="wrong.xml", weights=INT8), row("unmade", file=None, failure="not converted: x")]
    rows += [row("homeless", engine="mnn")]
    result = measure_rows("net", rows, {"network": reference()}, tmp_path, FEW, starter({"openvino": python}, 1))
    found = {one.row.name: one for one in result.rows}
    assert found["right"].failure is None
    assert found["right"].engine_version == "2026.4.1"
    assert (found["right"].difference or 1) < 1e-6
    assert found["wrong"].failure == ("wrong: differs by 5.0e-03 of the largest output, expected at most 5.0e-05")
    assert (found["nan"].failure or "").startswith("wrong: (2, 4) with 8 NaN, expected (2, 4) finite")
    assert [found[name].wrong for name in ("right", "wrong", "nan", "dying")] == [False, True, True, False]
    assert found["refusing"].failure == "not run: no memory for this"
    assert (found["dying"].failure or "").startswith("the worker process ended with exit code 3")
    assert (found["broken"].failure or "").startswith("not run: could not convert string to float")
    assert found["rounded"].failure is None
    assert found["rounded"].difference == pytest.approx(5e-3, rel=1e-3)
    assert found["unmade"].failure == "not converted: x"
    assert found["homeless"].failure == "there is no environment for mnn"
    assert [len(one.samples) for one in result.rows] == [40, 0, 0, 0, 0, 0, 40, 0, 0]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_reach_the_engine_and_one_thread_has_one_core(tmp_path: Path, threads: int) -> None:
    python = openvino_environment(tmp_path / "environment") / "bin" / "python"
    settings = PeerSettings(threads=threads, rounds=20, block=1, warmup_runs=1)
    rows = _files(tmp_path, {"right": "2.0"})
    result = measure_rows(
        "net", rows, {"network": reference()}, tmp_path, settings, starter({"openvino": python}, threads)
    )
    seen = json.loads((tmp_path / "right.xml.settings").read_text())
    assert (seen["INFERENCE_NUM_THREADS"], seen["NUM_STREAMS"], seen["device"]) == (threads, 1, "CPU")
    assert seen["openmp"] == str(threads)
    assert seen["cores"] == ([result.core] if threads == 1 else sorted(os.sched_getaffinity(0)))


def test_a_measurement_comes_back_from_its_record() -> None:
    result, _, _ = _measured({"base": 0.0002, "other": 0.0002})
    assert Measurement.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert [one["numerator"] for one in result.to_dict()["ratios"]] == ["base", "other"]  # type: ignore[attr-defined]


def test_without_a_baseline_no_noise_floor_is_known() -> None:
    lost = MeasuredRow(row=row("base"), failure="x")
    result = Measurement(network="net", settings=FEW, core=None, rows=(lost,), control=lost)
    assert result.noise_floor() is None


def test_the_bound_follows_pytorchs_own_error() -> None:
    images = np.zeros((1, *SHAPE), np.float32)
    expected = np.ones((1, CLASSES))
    assert bound(Reference(images_nchw=images, expected=expected, own_error=0.0)) == 5e-5
    assert bound(Reference(images_nchw=images, expected=expected, own_error=1e-3)) == pytest.approx(4e-3)


def test_images_are_laid_out_as_a_file_takes_them() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (1, *SHAPE)).astype(np.float32)
    assert laid_out(image, (1, 3, 6, 5), "float32", None) is image
    assert np.array_equal(laid_out(image, (1, 6, 5, 3), "float32", None), np.moveaxis(image, 1, -1))
    rounded = laid_out(image, (1, 3, 6, 5), "int8", (1 / 255, -128))
    assert rounded.dtype == np.int8
    assert np.abs(real(rounded, (1 / 255, -128)) - image).max() <= 0.5 / 255 + 1e-6
