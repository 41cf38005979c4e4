"""Files with int8 banks: right ones pass without any tolerance, spoiled ones do not, whatever they agree with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from torch import nn

from condmix.exporters.build import Build, prepare
from condmix.exporters.captured import Captured
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.bank_build import EXACT_STAGE, build_with_int8_banks
from condmix.exporters.tflite.build import TfliteBuild, build_tflite
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify import tflite
from condmix.exporters.verify.agreement import judge_onnx, judge_tflite
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import Verification
from condmix.exporters.verify.rounded import RoundedLimits
from condmix.exporters.verify.tflite import verify_tflite
from condmix.exporters.verify.verify import verify_onnx
from condmix.runtime.tolerance import Tolerance
from tests.exporters.networks import INPUT_SIZE

FLOAT32 = Tolerance.for_precision("float32")
Change = Callable[[np.ndarray], np.ndarray]


def one_off(bank: np.ndarray) -> np.ndarray:
    """A single number one step further."""
    changed = bank.copy()
    changed.flat[0] += 1 if changed.flat[0] < 127 else -1
    return changed


def mirrored(bank: np.ndarray) -> np.ndarray:
    return np.negative(bank)


@pytest.fixture(scope="module")
def banks(captured: Captured) -> Build:
    prepared = prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)
    return build_with_int8_banks(prepared, 18, {}, lambda _stage: None)


@pytest.fixture(scope="module")
def lite(captured: Captured) -> TfliteBuild:
    return build_tflite(captured, TfliteOptions(experts="int8"), {}, lambda _stage: None)


@pytest.fixture(scope="module")
def evidence(banks: Build, network: nn.Module) -> Evidence:
    return gather(banks, network, INPUT_SIZE, batch=1, images=None, report_progress=lambda _stage: None)


def spoiled(proto: onnx.ModelProto, change: Change) -> onnx.ModelProto:
    """The first int8 bank changed."""
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    bank = next(item for item in changed.graph.initializer if item.data_type == onnx.TensorProto.INT8 and item.dims)
    bank.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(bank)), bank.name))
    return changed


def spoiled_file(build: TfliteBuild, change: Change) -> TfliteBuild:
    """The same in the bytes of a file."""
    from ai_edge_litert import schema_py_generated as bindings

    model = bindings.Model.GetRootAs(build.content, 0)
    graph = model.Subgraphs(0)
    tensor = next(
        graph.Tensors(place)
        for place in range(graph.TensorsLength())
        if graph.Tensors(place).Type() == bindings.TensorType.INT8
    )
    buffer = model.Buffers(tensor.Buffer())
    start = buffer._tab.Vector(buffer._tab.Offset(4))
    own = np.frombuffer(build.content, np.int8, buffer.DataLength(), start)
    content = build.content[:start] + change(own).tobytes() + build.content[start + own.size :]
    return replace(build, content=content)


def with_banks(build: Build, evidence: Evidence) -> Verification:
    return verify_onnx(
        build, evidence, batch=1, tolerance=FLOAT32, report_progress=lambda _stage: None, judge_last=judge_onnx
    )


def with_tflite_banks(build: TfliteBuild, evidence: Evidence) -> Verification:
    return verify_tflite(
        build,
        evidence,
        batch=1,
        tolerance=Tolerance.exact(),
        shared_tolerance=FLOAT32,
        report_progress=lambda _stage: None,
        judge=judge_tflite,
    )


def test_a_right_onnx_file_passes_by_its_twin_and_by_agreement(banks: Build, evidence: Evidence) -> None:
    result = with_banks(banks, evidence)
    assert result.passed
    assert [item.stage for item in result.stages] == ["captured", "named", "rewritten", EXACT_STAGE, EXACT_STAGE]
    assert result.rounded is not None
    assert [check.way for check in result.rounded.meaning] == ["on 1 thread", "on 2 threads"]
    assert result.rounded.agreement[0].sqnr_db_median > 25
    assert result.to_dict()["rounded"] == result.rounded.to_dict()


def test_a_right_tflite_file_passes_although_no_tolerance_is_left(lite: TfliteBuild, evidence: Evidence) -> None:
    result = with_tflite_banks(lite, evidence)
    assert result.passed
    assert result.stages[-1].stage == tflite.EXACT_STAGE
    assert result.rounded is not None
    ways = ["delegate on 1 thread", "delegate on 2 threads", "builtin kernels on 2 threads"]
    assert [check.way for check in result.rounded.meaning] == ways
    assert result.coverage is not None


@pytest.mark.parametrize("change", [one_off, mirrored])
def test_a_spoiled_bank_is_rejected_however_well_the_file_agrees(
    banks: Build, lite: TfliteBuild, evidence: Evidence, change: Change
) -> None:
    stages = (*banks.stages[:-1], replace(banks.final, proto=spoiled(banks.final.proto, change)))
    results = [
        with_banks(replace(banks, stages=stages), evidence),
        with_tflite_banks(spoiled_file(lite, change), evidence),
    ]
    for result in results:
        assert not result.passed
        assert result.rounded is not None
        (problem,) = result.rounded.stored
        assert problem in result.rounded.problems()
        assert "are not the float32 ones rounded" in problem
        # Nothing else has to speak against it.
        if change is one_off:
            assert result.rounded.agreement[0].sqnr_db_median > 25


def test_too_little_agreement_rejects_a_file_whose_numbers_are_right(banks: Build, evidence: Evidence) -> None:
    verdict = judge_onnx(banks.stages[-2].proto, banks.final.proto, evidence, RoundedLimits(least_sqnr_db=120.0))
    assert not verdict.passed
    (problem,) = verdict.problems()
    assert "is too far from the float network" in problem


def test_a_wrong_twin_is_rejected_before_the_file_is_looked_at(banks: Build, evidence: Evidence) -> None:
    wrong = onnx.ModelProto()
    wrong.CopyFrom(banks.stages[-2].proto)
    weight = next(item for item in wrong.graph.initializer if len(item.dims) == 4)
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.01), weight.name))
    stages = (*banks.stages[:-2], replace(banks.stages[-2], proto=wrong), banks.final)
    result = with_banks(replace(banks, stages=stages), evidence)
    assert not result.passed
    assert result.rounded is None
    assert result.stages[-1].stage == EXACT_STAGE
