"""A file for this machine computes what the network does, whatever of it the runtime lays out."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from hypothesis import given

from condmix.exporters.errors import NotExportableError
from condmix.exporters.machine import graft as module
from condmix.exporters.machine import skeleton
from condmix.exporters.machine.graft import BLOCKED, BLOCKED_DOMAIN, CHANGED, OUTSIDE, graft
from condmix.exporters.machine.index_numbers import Numbering
from condmix.exporters.quantize.parameters import UINT7, asymmetric
from condmix.exporters.quantize.ranges import Range
from condmix.exporters.records import LayerForm
from condmix.runtime.machine_file import MACHINE_KEY, Machine, this_machine
from tests.exporters.condconv_cases import CondConvCase, condconv_case, condconv_cases
from tests.exporters.conv_cases import exact_rule
from tests.exporters.graphs import assert_same, run
from tests.exporters.mixconv_cases import mixconv_case
from tests.exporters.sketch import Sketch

HAS_BLOCKS = platform.machine() in ("x86_64", "AMD64")
"""ONNX Runtime's wheels for Arm leave the blocked layout out."""
GRID = asymmetric(Range.around(0.0, 1.0), UINT7)
KINDS = {
    "pointwise": condconv_case(in_channels=32, out_channels=48, kernel=(1, 1)),
    "dense": condconv_case(in_channels=32, out_channels=32, kernel=(3, 3)),
    "depthwise": condconv_case(in_channels=32, out_channels=32, kernel=(5, 5), group=32),
    "grouped": condconv_case(in_channels=32, out_channels=64, kernel=(3, 3), group=2),
    "expert bias": condconv_case(in_channels=32, out_channels=32, kernel=(3, 3), expert_bias=True),
    "padded": condconv_case(in_channels=24, out_channels=40, kernel=(1, 1), expert_bias=True),
}


def form_of(case: CondConvCase, **choices: object) -> tuple[str | None, str, np.ndarray]:
    made = graft(case.sketch().model("y"), opset=18, **choices)  # type: ignore[arg-type]
    (record,) = made.layers
    images = [run(made.proto, case.one(index))["y"] for index in range(len(case.images_nchw))]
    return record.form, record.why, np.concatenate(images)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_convolution_is_mixed_in_the_runtimes_layout(kind: str) -> None:
    form, why, actual = form_of(KINDS[kind])
    assert_same(KINDS[kind].expected(), actual)
    assert form == BLOCKED if HAS_BLOCKS else OUTSIDE in why


@exact_rule
@given(case=condconv_cases(images=2))
def test_any_layer_is_right_in_whatever_form(case: CondConvCase) -> None:
    form, why, actual = form_of(case)
    assert_same(case.expected(), actual)
    assert form == BLOCKED or OUTSIDE in why or CHANGED in why


@pytest.mark.parametrize("kind", KINDS)
def test_int8_experts_are_as_near_as_their_steps(kind: str) -> None:
    case = KINDS[kind]
    case.routing_ne.clip(0, 1, out=case.routing_ne)
    expected = case.expected()
    form, why, actual = form_of(case, grids={"routing": GRID})
    assert form == BLOCKED if HAS_BLOCKS else OUTSIDE in why
    assert np.abs(actual - expected).max() < 0.02 * np.abs(expected).max()
    assert HAS_BLOCKS is ("int8 experts" in why)


def test_the_factor_is_given_back_where_it_touches_fewer_numbers() -> None:
    small = condconv_case(in_channels=32, out_channels=32, kernel=(1, 1), input_size=(2, 2))
    large = condconv_case(in_channels=32, out_channels=32, kernel=(1, 1), input_size=(9, 9))
    for case, factors in ((small, 1), (large, 0)):
        case.routing_ne.clip(0, 1, out=case.routing_ne)
        made = graft(case.sketch().model("y"), opset=18, grids={"routing": GRID})
        groups = [one.i for node in made.proto.graph.node for one in node.attribute if one.name == "group"]
        assert groups.count(32) == (factors if HAS_BLOCKS else 0)


def test_layers_that_share_a_name_and_a_routing_keep_apart() -> None:
    first, second = (condconv_case(in_channels=32, out_channels=32, kernel=(1, 1), seed=seed) for seed in (0, 1))
    sketch = Sketch()
    sketch.input("x", (1, 32, 7, 5))
    sketch.input("routing", (1, 3))
    first.add_to(sketch, "x", "routing", "middle")
    second.add_to(sketch, "middle", "routing", "y")
    expected = run(sketch.model("y"), first.one(0))["y"]
    for portable in ((), ("block.conv",), ("block.conv#2",)):
        forms = [LayerForm(layer="block.conv#2", form="experts"), LayerForm(layer="block.conv", form="kernel")]
        made = graft(sketch.model("y"), opset=18, portable=portable, forms=forms)
        assert_same(expected, run(made.proto, first.one(0))["y"])
        wanted = ["kernel" if "block.conv" in portable else BLOCKED, "experts" if portable[1:] else BLOCKED]
        if portable == ("block.conv#2",):
            wanted = [BLOCKED, "experts"]
        if HAS_BLOCKS:
            assert [record.form for record in made.layers] == wanted


def gated() -> Sketch:
    """A MixConv, and a squeeze-excite gate behind it."""
    sketch = Sketch()
    sketch.input("x", (1, 32, 7, 5))
    mixconv_case(in_channels=(16, 16), kernels=(3, 5), input_size=(7, 5)).add_to(sketch, "x", "middle", module="a.mix")
    sketch.node("GlobalAveragePool", ["middle"], "mean", module="a.se", shape=(1, 32, 1, 1))
    sketch.node("Sigmoid", ["mean"], "gate", module="a.se", shape=(1, 32, 1, 1))
    sketch.node("Mul", ["gate", "middle"], "y", module="a.se", shape=(1, 32, 7, 5))
    return sketch


def test_a_gated_product_stays_in_the_runtimes_layout() -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 32, 7, 5)).astype(np.float32)}
    made = graft(gated().model("y"), opset=18)
    assert_same(run(gated().model("y"), feeds)["y"], run(made.proto, feeds)["y"])
    assert [record.form for record in made.layers] == ["merged"]
    assert made.gates == (1 if HAS_BLOCKS else 0)
    assert [output.name for output in made.proto.graph.output] == ["y"]
    assert "Mul" not in {node.op_type for node in made.proto.graph.node if HAS_BLOCKS}


def test_numbers_that_the_runtime_changed_leave_the_layer_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    case = KINDS["pointwise"]
    laid_out = module.optimised

    def scaled(proto: object) -> object:
        made = laid_out(proto)  # type: ignore[arg-type]
        for tensor in made.graph.initializer:
            if tensor.data_type == 1:
                tensor.raw_data = (2 * np.frombuffer(tensor.raw_data, np.float32)).tobytes()
        return made

    monkeypatch.setattr(module, "optimised", scaled)
    made = graft(case.sketch().model("y"), opset=18)
    (record,) = made.layers
    assert (record.form, record.why.partition(";")[0]) == ("kernel", f"not `blocked`: {CHANGED}")
    assert not any(node.domain == BLOCKED_DOMAIN and "mix" in node.name for node in made.proto.graph.node)


def test_a_network_beyond_the_exact_numbers_keeps_the_rest_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    case = KINDS["pointwise"]
    monkeypatch.setattr(skeleton, "Numbering", lambda: Numbering(limit=100))
    form, why, actual = form_of(case)
    assert (form, why.partition(";")[0]) == ("kernel", f"not `blocked`: {skeleton.NO_NUMBERS}")
    assert_same(case.expected(), actual)


def test_the_file_says_what_it_is_for_and_its_bytes_follow_from_the_input() -> None:
    first, again = (graft(KINDS["dense"].sketch().model("y"), opset=18, metadata={"a": "b"}).proto for _ in range(2))
    assert {entry.key: entry.value for entry in first.metadata_props} == {"a": "b", MACHINE_KEY: this_machine().text()}
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    assert next(entry.version for entry in first.opset_import if not entry.domain) == 18


def test_a_machine_that_cannot_be_told_from_others_gets_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    unnamed = Machine(architecture="x86_64", instruction_sets=(), runtime="1.0")
    monkeypatch.setattr(module, "this_machine", lambda: unnamed)
    with pytest.raises(NotExportableError) as caught:
        graft(KINDS["dense"].sketch().model("y"), opset=18)
    assert str(caught.value) == (
        "a file for this machine cannot be written:\n"
        "  - the system does not say which instruction sets this x86_64 has\n"
        "  - leave out --condconv blocked: the portable file runs"
    )
