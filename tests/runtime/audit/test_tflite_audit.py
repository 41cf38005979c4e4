"""Audits of TFLite files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from condmix.runtime.audit.report import Audit
from condmix.runtime.audit.tflite_audit import audit_tflite
from condmix.runtime.audit.vocabulary import Arithmetic, Reason, RoundTrip
from condmix.runtime.errors import ModelUnreadableError
from condmix.runtime.litert_session import LiteRtBackend
from tests.runtime.audit.tflite_models import CONV, DENSE, DEPTHWISE, SCALE, TOTAL, net
from tests.runtime.tflite_files import Operator, build_tflite


@pytest.fixture
def audited(tmp_path: Path):
    def audit(content: bytes) -> Audit:
        path = tmp_path / "net.tflite"
        path.write_bytes(content)
        return audit_tflite(path, threads=1)

    return audit


def products(audit: Audit) -> list[tuple[str, Arithmetic, int]]:
    return [(node.where, node.arithmetic, node.multiply_adds) for node in audit.nodes if node.multiply_adds]


def test_a_float_file(audited):
    audit = audited(net())
    assert [arithmetic for _, arithmetic, _ in products(audit)] == [Arithmetic.FLOAT] * 3
    assert audit.verdict() == f"nothing runs in int8: of {TOTAL:,} multiply-adds all of them run in float"
    (island,) = audit.islands
    assert (island.reason, island.where) == (Reason.NOT_QUANTIZED, ("stem", "deep", "logits"))
    assert all(node.delegated for node in audit.nodes)
    assert (audit.runs, audit.session_bytes, audit.share_of_time(Arithmetic.FLOAT)) == (0, None, None)
    assert audit.input_shapes == {"image": (1, 6, 6, 3)}


def test_all_in_int8(audited):
    audit = audited(net(activations="int8", weights="int8"))
    assert products(audit) == [
        ("stem", Arithmetic.INT8, CONV),
        ("deep", Arithmetic.INT8, DEPTHWISE),
        ("e", Arithmetic.INT8, DENSE),
    ]
    assert audit.verdict() == "100.0 % of multiply-adds run in int8; 0 float islands"
    assert (audit.boundary_nodes, audit.islands, audit.outside_delegate) == (2, (), ())
    assert audit.file_bytes["int8"] == 328


def test_int8_weights_with_float_activations_are_quantised_on_the_fly(audited):
    audit = audited(net(weights="int8"))
    assert products(audit) == [
        ("stem", Arithmetic.INT8_ON_THE_FLY, CONV),
        ("deep", Arithmetic.FLOAT, DEPTHWISE),
        ("logits", Arithmetic.INT8_ON_THE_FLY, DENSE),
    ]
    expected = "75.1 % of multiply-adds run in int8 (75.1 % with inputs quantised anew at each run); 1 float island"
    assert audit.verdict() == expected


def test_a_layer_kept_in_float(audited):
    audit = audited(net(activations="int8", weights="int8", float_depthwise=True))
    (island,) = audit.islands
    assert (island.where, island.multiply_adds, island.reason) == (("deep",), DEPTHWISE, Reason.KEPT_FLOAT)
    assert audit.int8_share == (CONV + DENSE) / TOTAL
    assert audit.boundary_nodes == 4


def test_weights_stored_as_integers_and_unpacked(audited):
    audit = audited(net(unpacked_weights=True))
    (island,) = audit.islands
    assert island.reason is Reason.WEIGHTS_ONLY
    assert audit.int8_share == 0
    assert audit.constant_dequantizers == 1


def test_integers_that_the_delegate_leaves(audited):
    names = [f"t{number}" for number in range(3)]
    scales = {name: (0.1, 0) for name in names}
    model = build_tflite(
        {name: ((1, 4), "int16") for name in names},
        [Operator(name="ABS", inputs=[before], outputs=[after]) for before, after in pairwise(names)],
        inputs=["t0"],
        outputs=["t2"],
        scales=scales,
    )
    audit = audited(model)
    assert audit.outside_delegate == (("ABS", 2),)
    assert [node.arithmetic for node in audit.nodes] == [Arithmetic.INT16] * 2


@pytest.mark.parametrize(
    ("second", "kind"), [((0.1, 0), RoundTrip.NEEDLESS), ((0.2, 0), RoundTrip.RESCALED), ((0.1, 3), RoundTrip.RESCALED)]
)
def test_round_trips(audited, second: tuple[float, int], kind: RoundTrip):
    tensors = {"x": ((1, 4), "int8"), "f": ((1, 4), "float32"), "y": ((1, 4), "int8")}
    operators = [
        Operator(name="DEQUANTIZE", inputs=["x"], outputs=["f"]),
        Operator(name="QUANTIZE", inputs=["f"], outputs=["y"]),
    ]
    scales = {"x": (0.1, 0), "y": second}
    assert audited(build_tflite(tensors, operators, inputs=["x"], outputs=["y"], scales=scales)).round_trips == {
        kind: 1
    }


def test_rescaling_in_one_operator(audited):
    tensors = {"x": ((1, 4), "int8"), "y": ((1, 4), "int8")}
    scales = {"x": (0.1, 0), "y": (0.2, 0)}
    operator = Operator(name="QUANTIZE", inputs=["x"], outputs=["y"])
    audit = audited(build_tflite(tensors, [operator], inputs=["x"], outputs=["y"], scales=scales))
    assert audit.round_trips == {RoundTrip.RESCALED: 1}


@pytest.mark.parametrize(
    ("name", "where"),
    [("blocks.1.conv:relu_3", "blocks.1.conv"), ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"), ("a", "a")],
)
def test_where_is_the_module_of_our_files_and_the_name_of_others(audited, name: str, where: str):
    tensors = {"x": ((1, 4), "float32"), "y": ((1, 4), "float32")}
    operator = Operator(name="ABS", inputs=["x"], outputs=["y"])
    audit = audited(build_tflite(tensors, [operator], inputs=["x"], outputs=["y"], tensor_names={"y": name}))
    assert audit.nodes[0].where == where


def test_a_damaged_file(audited):
    with pytest.raises(ModelUnreadableError, match="cannot be opened"):
        audited(net()[:200])


@pytest.mark.parametrize("delegate", [True, False])
def test_int8_weights_do_quantise_float_activations(delegate: bool):
    """The classification rests on it: were they unpacked to float, the results would be those of float weights."""
    image = np.random.default_rng(0).random((1, 6, 6, 3)).astype(np.float32)
    floating, hybrid = (
        LiteRtBackend().open(net(weights=weights), threads=1, delegate=delegate).run({"image": image})["logits"]
        for weights in ("float32", "int8")
    )
    # The net is linear, and two of its three kernels are the same but for one factor.
    expected = floating * (127 * SCALE[0]) ** 2
    error = np.abs(hybrid - expected).max() / np.abs(expected).max()
    assert 1e-4 < error < 0.03
