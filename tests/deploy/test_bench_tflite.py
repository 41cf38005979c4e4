"""`make bench-tflite`: what is compared before it is timed, and how files are built, laid out and timed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from condmix.deploy.bench import tflite_files
from condmix.deploy.bench.errors import ConverterFailedError, WrongAnswerError
from condmix.deploy.bench.litert_environment import (
    Conversion,
)
from condmix.deploy.bench.tflite_files import TWIN, TWIN_CONVERTER, BenchFile, BuiltFiles, build_files
from condmix.deploy.bench.tflite_latency import (
    Floats,
    bound_of,
    check_differences,
    difference,
    in_turn,
    measure_files,
    own_error,
    run_of,
)
from condmix.deploy.bench.tflite_subjects import CONVERTER, INT8, QUANTIZER, SUBJECTS, TfliteForm, TfliteSubject
from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.calibrate import calibrate
from condmix.exporters.quantize.tflite.build import build_int8
from condmix.exporters.quantize.tflite.options import TfliteInt8Options
from condmix.exporters.tflite.options import TfliteOptions
from condmix.models import zoo
from condmix.runtime.latency_report import Clock, LatencySettings
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.signature import Signature, Tensor, TensorSpec

SIZE = 12
FEW_RUNS = LatencySettings(warmup_runs=1, minimum_runs=40, minimum_seconds=0.0, block=2, seed=0)


class _Small(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).mean((2, 3))


# What is compared before it is timed


def test_every_wrong_file_is_named_and_nan_is_wrong() -> None:
    forms = {name: TfliteForm() for name in ("right", "off", "lost")}
    forms |= {"half": TfliteForm(options=TfliteOptions(precision="float16")), "int8": TfliteForm(options=None)}
    bounds = {name: bound_of(form, error=1e-6) for name, form in forms.items()}
    with pytest.raises(WrongAnswerError) as caught:
        check_differences("net", {"right": 4e-5, "off": 6e-5, "lost": float("nan"), "half": 6e-2, "int8": 0.3}, bounds)
    assert str(caught.value) == (
        "net: not measured, for files do not compute what PyTorch computes\n"
        "  - off: differs by 6.0e-05 of the largest output, expected at most 5.0e-05\n"
        "  - lost: differs by nan of the largest output, expected at most 5.0e-05"
    )


def test_a_network_that_amplifies_rounding_has_as_much_more_room() -> None:
    assert bound_of(TfliteForm(), error=3e-5) == 4 * 3e-5
    error = own_error(_Small().eval(), np.ones((2, 3, SIZE, SIZE), np.float32))
    assert 0 < error < 1e-6


class _Session:
    """A session that gives back what it was given, and `off` more."""

    def __init__(self, shape: tuple[int, ...], off: float = 0.0) -> None:
        self.signature = Signature(
            inputs=(TensorSpec(name="in", shape=shape, dtype="float32"),),
            outputs=(TensorSpec(name="out", shape=shape, dtype="float32"),),
        )
        self.off = np.float32(off)
        self.seen: list[Tensor] = []

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.signature.check(feeds)
        self.seen.append(feeds["in"])
        return {"out": cast(Floats, feeds["in"]) + self.off}


def test_the_difference_is_relative_to_the_largest_output() -> None:
    images = np.zeros((2, 1, 1, 1), np.float32)
    images[:, 0, 0, 0] = (-8.0, 1.0)
    assert difference(nn.Identity(), _Session((1, 1, 1, 1), off=0.5), images) == 0.5 / 8


def test_files_get_the_layout_that_they_take() -> None:
    image = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    assert np.array_equal(run_of(_Session((1, 2, 3, 4)), image)(), image)
    assert np.array_equal(run_of(_Session((1, 3, 4, 2)), image)(), image.transpose(0, 2, 3, 1))


def test_a_file_with_integer_ends_gets_integers_and_gives_numbers() -> None:
    prepared = prepare(capture(_Small().eval(), (3, SIZE, SIZE)), ExportOptions(stage="rewritten"), {}, lambda _: None)
    images = np.random.default_rng(0).standard_normal((4, 3, SIZE, SIZE)).astype(np.float32)
    ranges = calibrate(prepared, images)
    content = build_int8(prepared, ranges, TfliteInt8Options(io_dtype="int8"), {}, lambda _: None).content
    session = LiteRtBackend().open(content, threads=1)
    assert {spec.dtype for spec in (*session.signature.inputs, *session.signature.outputs)} == {"int8"}
    assert 1e-6 < difference(_Small().eval(), session, images) < 0.1


def test_no_image_is_laid_out_while_the_clock_runs() -> None:
    session = _Session((1, 3, 4, 2))
    run = run_of(session, np.ones((1, 2, 3, 4), np.float32))
    run()
    run()
    assert session.seen[0] is session.seen[1]
    assert session.seen[0].flags["C_CONTIGUOUS"]


def test_openings_take_turns() -> None:
    turn = in_turn([lambda: "first", lambda: "second", lambda: "third"])
    assert [turn() for _ in range(5)] == ["first", "second", "third", "first", "second"]


def test_files_are_built_compared_and_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it with the real engine; only the converter is played, by our own writer."""
    ours = tflite_files._ours

    def played(_python: Path, _network: str, module: nn.Module, size: int) -> Conversion:
        content = ours(module, size, 1, {"file": TfliteForm()})["file"].content
        return Conversion(content=content, wall_seconds=2.0, cpu_seconds=1.0, versions={"litert-torch": "played"})

    def refused(*_arguments: object) -> Conversion:
        log = "it has no constant kernel"
        raise ConverterFailedError(subject.network, 1, log, tool="ai-edge-quantizer")

    monkeypatch.setattr(tflite_files, "convert", played)
    monkeypatch.setattr(
        tflite_files, "quantize", lambda python, name, _content, _images: played(python, name, _Small(), SIZE)
    )
    monkeypatch.setattr(tflite_files, "settled_network", lambda *_arguments: _Small().eval())
    int8 = TfliteForm(options=None, time_goal=0.3, goal_against=QUANTIZER)
    subject = TfliteSubject(network="small", forms={"condmix": TfliteForm(size_goal=1.0)}, twin="twin", int8=int8)
    told: list[str] = []
    built = build_files(subject, Path("python"), SIZE, 1, told.append)
    files = built.files
    assert list(files) == [CONVERTER, "condmix", QUANTIZER, INT8, TWIN_CONVERTER, TWIN]
    assert built.versions == {"litert-torch": "played"}
    assert built.missing == {}
    assert [text.partition(":")[0] for text in told] == ["small", "small", "small", "twin"]

    result = measure_files("small", built, SIZE, FEW_RUNS)
    assert [row.name for row in result.rows] == list(files)
    assert [row.capture_seconds is None for row in result.rows] == [True, False, True, True, True, False]
    rows = {row.name: row for row in result.rows}
    rounded = rows.pop(INT8)
    assert 1e-6 < rounded.difference < 0.1
    assert rounded.goal_ratio == result.report.ratio(INT8, QUANTIZER, Clock.CPU).ratio
    assert all(row.difference < 1e-6 and row.median_ms > 0 and row.size_ratio == 1.0 for row in rows.values())
    assert result.rows[0].ratio == 1.0
    assert result.noise_floor is not None

    monkeypatch.setattr(tflite_files, "quantize", refused)
    fewer = build_files(subject, Path("python"), SIZE, 1, told.append)
    assert list(fewer.files) == [name for name in files if name != QUANTIZER]
    assert fewer.missing == {QUANTIZER: "it has no constant kernel"}
    without = measure_files("small", fewer, SIZE, FEW_RUNS)
    assert without.missing == fewer.missing
    assert {row.name: row for row in without.rows}[INT8].goal_ratio is None

    broken = Conversion(content=b"TFL3 of nothing", wall_seconds=1.0, cpu_seconds=1.0, versions={})
    monkeypatch.setattr(tflite_files, "quantize", lambda *_arguments: broken)
    unopened = build_files(subject, Path("python"), SIZE, 1, told.append)
    assert unopened.missing[QUANTIZER].startswith("its file cannot be opened: it is damaged: it does not begin")

    other = BenchFile(
        module=_Small(seed=1).eval(),
        content=files["condmix"].content,
        form=TfliteForm(),
        capture_seconds=None,
        write_seconds=0.0,
    )
    wrong = BuiltFiles(files={CONVERTER: files[CONVERTER], "condmix": other}, versions={}, missing={})
    with pytest.raises(WrongAnswerError, match="small: not measured"):
        measure_files("small", wrong, SIZE, FEW_RUNS)


def test_the_subjects_are_in_the_zoo() -> None:
    names = {name for subject in SUBJECTS for name in (subject.network, subject.twin) if name is not None}
    assert names <= set(zoo.names())
