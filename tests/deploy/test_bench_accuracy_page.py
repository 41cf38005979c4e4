"""The accuracy page: figures, goals met and missed, and files that were not run."""

from __future__ import annotations

from dataclasses import replace

from condmix.deploy.bench.accuracy_files import ONNX_BANKS, ONNX_INT8, QUANTIZER, STATIC
from condmix.deploy.bench.accuracy_page import ImageCounts, NetworkAccuracy, goals_of, render
from condmix.deploy.bench.accuracy_scores import AccuracyRow
from condmix.runtime.cpu import CpuFacts

ROW = AccuracyRow(
    name=ONNX_INT8,
    top1=0.9889,
    drop_points=0.28,
    agreement_held_out=0.9972,
    agreement_many=0.995,
    sqnr_db=31.26,
    size_bytes=2_600_000,
    size_ratio=0.2601,
    remark="",
)
NOT_RUN = replace(
    ROW,
    name=QUANTIZER,
    top1=None,
    drop_points=None,
    agreement_held_out=None,
    agreement_many=None,
    sqnr_db=None,
    size_bytes=None,
    size_ratio=None,
    remark="not run: no environment",
)
RESULT = NetworkAccuracy(
    network="mixnet_s",
    command="condmix train mixnet_s",
    float_top1=0.9917,
    float_size_bytes=10_000_000,
    agreement_held_out=0.9972,
    agreement_many=0.9911,
    rows=(ROW, NOT_RUN),
)


def _page(result: NetworkAccuracy = RESULT) -> str:
    machine = CpuFacts(
        architecture="x86_64",
        system="Linux",
        model_names=("A CPU",),
        features=("AVX2",),
        logical_cores=2,
        usable_cores=2,
        versions=(),
    )
    counts = ImageCounts(calibration=300, held_out=360, many=7185)
    return render([result], counts, machine, {"torch": "2.13.0"}, "python -m bench out")


def test_a_page_has_a_table_of_every_network() -> None:
    page = _page()
    assert page.startswith("Command: `python -m bench out`\n\nMachine: A CPU, x86_64, AVX2. torch 2.13.0.\n\n")
    assert "the same 300 training digits" in page
    assert "on 7185 pictures" in page
    assert page.partition("**mixnet_s**")[2].partition("What these figures")[0] == (
        ": 99.17% in float, 10.0 MB. Trained by `condmix train mixnet_s`.\n\n"
        "| file | top-1 | drop | same answer, held out | same answer, many | SQNR | size | goals |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| condmix, ONNX int8 | 98.89% | 0.28 | 99.72% | 99.50% | 31.3 dB | 0.260 | drop at most 0.5 met, "
        "size at most 0.28 met |\n"
        "| ai-edge-quantizer on litert-torch's file |  |  |  |  |  |  | not run: no environment |\n\n"
        "The ONNX and the TFLite int8 file name the same class on 99.72% of the held-out digits and on 99.11% of the "
        "many (goal: at least 99%: met).\n\n"
    )


def test_what_was_missed_is_said() -> None:
    missed = replace(ROW, drop_points=0.84, size_ratio=0.29, remark="rejected by its own proof")
    assert goals_of(missed) == "drop at most 0.5 missed, size at most 0.28 missed"
    page = _page(replace(RESULT, rows=(missed,), agreement_many=0.98))
    assert "| drop at most 0.5 missed, size at most 0.28 missed; rejected by its own proof |" in page
    assert "98.00% of the many (goal: at least 99%: missed)" in page


def test_a_gain_is_no_drop_and_nothing_has_no_sign() -> None:
    assert "| -0.28 |" in _page(replace(RESULT, rows=(replace(ROW, drop_points=-0.28),)))
    assert "| 0.00 |" in _page(replace(RESULT, rows=(replace(ROW, drop_points=-0.0),)))


def test_goals_are_for_our_files() -> None:
    assert goals_of(replace(ROW, name=STATIC, drop_points=50.0)) == ""
    assert goals_of(replace(ROW, name=ONNX_BANKS, size_ratio=0.34)) == "drop at most 0.5 met, size at most 0.35 met"
    assert goals_of(NOT_RUN) == ""


def test_without_one_of_the_formats_nothing_is_said_of_both() -> None:
    assert "name the same class" not in _page(replace(RESULT, agreement_held_out=None, agreement_many=None))
