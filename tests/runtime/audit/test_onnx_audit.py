"""Audits of files made by onnxruntime.quantization, and of damaged ones."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import QuantFormat, QuantType

from condmix.runtime.audit.onnx_audit import audit_onnx
from condmix.runtime.audit.report import Audit
from condmix.runtime.audit.vocabulary import Arithmetic, Reason, Role, RoundTrip
from condmix.runtime.errors import ModelUnreadableError
from tests.runtime.audit import onnx_files
from tests.runtime.audit.onnx_files import CLASSIFIER, DEPTHWISE, POINTWISE, STEM, TOTAL


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)  # the quantiser recommends its own preprocessing


def audited(path: Path) -> Audit:
    return audit_onnx(path, threads=1, runs=2, shapes={})


def products(audit: Audit) -> dict[str, tuple[Arithmetic, int]]:
    """where -> arithmetic and multiply-adds of everything that multiplies."""
    return {node.where: (node.arithmetic, node.multiply_adds) for node in audit.nodes if node.multiply_adds}


def every_product(arithmetic: Arithmetic) -> dict[str, tuple[Arithmetic, int]]:
    return {
        "stem": (arithmetic, STEM),
        "blocks.0/dw": (arithmetic, DEPTHWISE),
        "blocks.0/pw": (arithmetic, POINTWISE),
        "classifier": (arithmetic, CLASSIFIER),
    }


def test_a_float_file(tmp_path: Path):
    audit = audited(onnx_files.write_float(tmp_path))
    assert products(audit) == every_product(Arithmetic.FLOAT)
    assert audit.multiply_adds == TOTAL
    assert audit.verdict() == f"nothing runs in int8: of {TOTAL:,} multiply-adds all of them run in float"
    (island,) = audit.islands
    assert island.reason is Reason.NOT_QUANTIZED
    assert (audit.boundary_nodes, audit.round_trips, audit.notes) == (0, {}, ())
    assert set(audit.file_bytes) == {"float"}


@pytest.mark.parametrize("style", list(QuantFormat))
def test_all_of_it_quantised_with_uint8_activations(tmp_path: Path, style: QuantFormat):
    audit = audited(onnx_files.write_static(tmp_path, style=style))
    assert products(audit) == every_product(Arithmetic.INT8)
    assert audit.verdict() == "100.0 % of multiply-adds run in int8; 0 float islands"
    assert audit.islands == ()
    assert [node.role for node in audit.nodes if node.role] == [Role.QUANTIZE, Role.DEQUANTIZE]
    assert audit.session_bytes is not None
    assert audit.session_bytes["int8"] == audit.file_bytes["int8"] > 800


def test_a_layer_that_was_left_out(tmp_path: Path):
    left_out = ("/blocks.0/dw/Conv", "/blocks.0/act/Sigmoid", "/blocks.0/act/Mul")
    audit = audited(onnx_files.write_static(tmp_path, left_out=left_out))
    expected = every_product(Arithmetic.INT8) | {"blocks.0/dw": (Arithmetic.FLOAT, DEPTHWISE)}
    assert products(audit) == expected
    (island,) = audit.islands
    assert (island.where, island.multiply_adds) == (("blocks.0/dw",), DEPTHWISE)
    assert (island.reason, island.detail) == (Reason.ONE_SIDE_ONLY, "its output is not quantised")
    assert audit.verdict() == "83.9 % of multiply-adds run in int8; 1 float island"


def test_the_default_of_quantize_static_leaves_what_follows_a_relu_in_float(tmp_path: Path):
    """int8 activations: the runtime turns some to uint8, and then input and output differ."""
    audit = audited(onnx_files.write_static(tmp_path, activations=QuantType.QInt8))
    assert products(audit)["blocks.0/dw"] == (Arithmetic.FLOAT, DEPTHWISE)
    (island,) = audit.multiplying_islands
    assert (island.reason, island.detail) == (Reason.NOT_FUSED, "it reads uint8 and writes int8")
    assert "QuantType.QUInt8" in island.advice
    assert audit.round_trips == {RoundTrip.BETWEEN_FLOAT: 2}
    assert audit.constant_dequantizers == 2


def test_activations_of_16_bits_run_in_float(tmp_path: Path):
    audit = audited(onnx_files.write_static(tmp_path, activations=QuantType.QInt16))
    assert products(audit) == every_product(Arithmetic.FLOAT)
    assert {island.detail for island in audit.islands} == {"its operands are int16"}
    assert audit.round_trips[RoundTrip.BETWEEN_FLOAT] == 6


def test_inputs_quantised_anew_at_each_run(tmp_path: Path):
    audit = audited(onnx_files.write_dynamic(tmp_path))
    assert products(audit) == every_product(Arithmetic.INT8_ON_THE_FLY)
    assert audit.verdict().startswith("100.0 % of multiply-adds run in int8 (100.0 % with inputs quantised anew")
    assert audit.multiplying_islands == ()
    assert len(audit.islands) == 3


def test_integer_weights_alone(tmp_path: Path):
    audit = audited(onnx_files.write_weights_only(tmp_path))
    assert products(audit) == every_product(Arithmetic.FLOAT)
    (island,) = audit.islands
    assert island.reason is Reason.WEIGHTS_ONLY
    assert audit.constant_dequantizers == 4
    assert audit.round_trips == {}


def test_time_is_shared_out(tmp_path: Path):
    audit = audited(onnx_files.write_static(tmp_path))
    assert sum(audit.share_of_time(kind) or 0.0 for kind in Arithmetic) == pytest.approx(1, abs=1e-9)
    assert all(node.time_us is not None for node in audit.nodes)


def test_weights_unpacked_while_loading_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = onnx_files.write_weights_only(tmp_path)
    assert not any("unpacks" in note for note in audited(path).notes)
    plain = onnx_files.write_float(tmp_path)
    run = audit_onnx.__globals__["run_onnx"]
    monkeypatch.setitem(audit_onnx.__globals__, "run_onnx", lambda _path, **options: run(plain, **options))
    audit = audited(path)
    assert any("unpacks int8 weights to float while loading" in note for note in audit.notes)
    assert audit.islands[0].reason is Reason.WEIGHTS_ONLY


def test_an_operator_that_is_not_counted_is_noted(tmp_path: Path):
    values = [helper.make_tensor_value_info(name, 1, [2, 2]) for name in ("x", "y")]
    node = helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,jk->ik")
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]), ir_version=10)
    model.opset_import[0].version = 18
    onnx.save(model, tmp_path / "a.onnx")
    audit = audited(tmp_path / "a.onnx")
    assert audit.notes == ("the multiply-adds of these operators are not counted: Einsum x1",)
    assert audit.int8_share is None


def test_weights_in_another_file(tmp_path: Path):
    model = onnx.load(onnx_files.write_static(tmp_path))
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(model, tmp_path / "external.onnx", **options)
    audit = audited(tmp_path / "external.onnx")
    assert products(audit) == every_product(Arithmetic.INT8)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelUnreadableError, match="cannot be opened"):
        audited(tmp_path / "external.onnx")


def test_a_file_cut_off(tmp_path: Path):
    path = onnx_files.write_float(tmp_path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ModelUnreadableError, match="cannot be opened"):
        audited(path)
