"""A file is run at every size, and one that is wrong at one of them does not pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from condmix.exporters.captured import Tap
from condmix.exporters.sizes.choice import FreeSize
from condmix.exporters.verify.oracle import Reference
from condmix.exporters.verify.size_report import SizeReport
from condmix.exporters.verify.sizes import check_sizes
from condmix.runtime.tolerance import Tolerance
from tests.exporters.sizes.sized import graph, node

SIZES = FreeSize(step=1, captured=((8, 8), (9, 12)), held_out=((11, 7),), not_run=("5x5: too small",))


class MeanOracle:
    """The mean of every channel, of images at least eight wide but for those of `wrong` widths."""

    name = "the mean"

    def __init__(self, wrong: int | None = None) -> None:
        self.wrong = wrong

    def float64(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> dict[str, np.ndarray]:
        mean = images_nchw.astype(np.float64).mean((2, 3), keepdims=True)
        return {output_names[0]: mean + (images_nchw.shape[3] == self.wrong)}

    def reference(self, images_nchw: np.ndarray, output_names: Sequence[str]) -> Reference:
        double = self.float64(images_nchw, output_names)
        return Reference(float64=double, float32={name: rows.astype(np.float32) for name, rows in double.items()})

    def inner(self, taps: Sequence[Tap], image_chw: np.ndarray) -> Reference:
        raise AssertionError((taps, image_chw))


def checked(proto: onnx.ModelProto, wrong: int | None = None, batch: int | None = None) -> SizeReport:
    return check_sizes(
        proto,
        MeanOracle(wrong),
        4,
        SIZES,
        batch=batch,
        tolerance=Tolerance.for_precision("float32"),
        report_progress=lambda _stage: None,
    )


def pooling(batch: int | str, height: int | str = "height") -> onnx.ModelProto:
    made = graph([node("GlobalAveragePool", ["x"])], 8, 8, batch=batch)
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_param = str(height)
    made.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "width"
    made.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return made


def test_every_size_is_run_on_two_numbers_of_threads_and_of_images() -> None:
    report = checked(pooling("n"))
    assert report.passed
    assert [(case.sides, case.threads, case.batch) for case in report.cases] == [
        (sides, threads, batch) for sides in ((9, 12), (11, 7)) for threads in (1, 2) for batch in (1, 3)
    ]
    assert report.sentence() == "any height and width: 8 cases at 9x12, 11x7 hold"
    assert report.to_dict()["not_run"] == ["5x5: too small"]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_batch_is_filled_up(batch: int) -> None:
    report = checked(pooling(batch), batch=batch)
    assert report.passed
    assert {case.batch for case in report.cases} == {batch}


def test_a_file_that_is_wrong_at_one_size_does_not_pass() -> None:
    report = checked(pooling("n"), wrong=7)
    assert not report.passed
    assert report.sentence().startswith("4 of 8 cases do not hold; 11x7, batch 1, 1 thread: ")


def test_a_file_that_does_not_run_at_one_size_does_not_pass() -> None:
    """Its Reshape has the numbers of one size."""
    nodes = [node("Reshape", ["x", "to"], ["r"]), node("ReduceMean", ["r", "axes"], keepdims=1)]
    fixed = graph(nodes, 9, 12, to=[0, 4, 9, 12], axes=[2, 3])
    for place, name in ((2, "height"), (3, "width")):
        fixed.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    report = checked(fixed, batch=1)
    assert [case.passed for case in report.cases] == [True, True, False, False]
    failed = report.cases[-1]
    assert failed.parity is None
    assert failed.failure is not None
    assert "11x7, batch 1, 2 threads: " in failed.sentence()
    assert failed.to_dict()["failure"] == failed.failure
