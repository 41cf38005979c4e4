"""The judgement over a case can fail: every fault is found when it is put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from condmix.exporters.build import Stage
from condmix.exporters.options import ExportOptions
from condmix.exporters.records import LayerKind, LayerRecord
from condmix.exporters.verify.evidence import Evidence, gather
from condmix.exporters.verify.records import RoutingSpread, Verification
from condmix.exporters.verify.verify import verify_onnx
from tests.conformance import faults as judgement
from tests.conformance.case import ANY_BATCH, ONE_IMAGE, ConformanceCase, Export
from tests.conformance.cases import CASES
from tests.conformance.faults import (
    attempt_faults,
    faults,
    file_faults,
    layer_faults,
    named_faults,
    verification_faults,
)
from tests.conformance.proof import TOLERANCE, Attempt, Proof, prove
from tests.conformance.tflite_proof import ONE_IMAGE as ONE_TFLITE_IMAGE
from tests.conformance.tflite_proof import TfliteAttempt, tflite_faults

CASE = next(case for case in CASES if case.name == "classifier_bmm")


@pytest.fixture(scope="module")
def proof() -> Proof:
    return prove(CASE)


def final(attempt: Attempt) -> onnx.ModelProto:
    """A copy of the file, free to be damaged."""
    assert attempt.build is not None
    copy = onnx.ModelProto()
    copy.CopyFrom(attempt.build.final.proto)
    return copy


def test_nothing_is_wrong_with_the_proof_as_it_is(proof: Proof) -> None:
    assert faults(proof) == []
    assert [stage.stage for stage in verified(proof.one_image).stages] == [
        "captured", "named", "rewritten", "final", "final",
    ]  # fmt: skip


def verified(attempt: Attempt) -> Verification:
    assert attempt.verification is not None
    return attempt.verification


# refusals


def test_an_unexpected_refusal_success_or_reason_is_a_fault(proof: Proof) -> None:
    refused = Attempt(export=Export(options=ANY_BATCH), refusal="no")
    assert list(attempt_faults(refused)) == ["refused: no"]
    expected = Export(options=ANY_BATCH, refused=("depends on the image",))
    assert list(attempt_faults(replace(refused, export=expected))) == [
        "the refusal does not say 'depends on the image': no"
    ]
    assert list(attempt_faults(replace(proof.any_batch, export=expected))) == [
        "exported, where a refusal was expected (depends on the image)"
    ]


# layers


def changed(case: ConformanceCase = CASE, **changes: object) -> ConformanceCase:
    return replace(case, **changes)  # type: ignore[arg-type]


def test_layers_too_few_too_many_or_elsewhere_are_faults(proof: Proof) -> None:
    assert proof.one_image.build is not None
    layers = proof.one_image.build.layers
    assert list(layer_faults(CASE, layers)) == []
    assert list(layer_faults(changed(condconv_layers=2, paths=None), layers)) == ["1 CondConv layers, expected 2"]
    assert list(layer_faults(changed(mixconv_layers=1, paths=None), layers)) == ["0 MixConv layers, expected 1"]
    assert list(layer_faults(changed(paths=frozenset(["CondConv 6"])), layers)) == [
        "recognised ['CondConv 5'], expected ['CondConv 6']"
    ]
    assert list(layer_faults(changed(two_group_layers=3), layers)) == ["0 layers became a grouped 1x1 Conv, expected 3"]


def test_a_layer_declined_unexpectedly_or_for_another_reason_is_a_fault() -> None:
    declined = LayerRecord(
        path="7", kind=LayerKind.COND_CONV, recognised=False, form=None, why="it overlaps", details={},
        multiply_adds=0, weight_bytes=0,
    )  # fmt: skip
    empty = changed(condconv_layers=0, paths=frozenset())
    assert list(layer_faults(replace(empty, declined={"7": "overlap"}), (declined,))) == []
    assert list(layer_faults(empty, (declined,))) == ["declined ['7'], expected []"]
    assert list(layer_faults(replace(empty, declined={"8": "overlap"}), (declined,))) == [
        "declined ['7'], expected ['8']"
    ]
    assert list(layer_faults(replace(empty, declined={"7": "linear"}), (declined,))) == [
        "7 is declined without the word 'linear': it overlaps"
    ]


def test_a_layer_without_form_or_reason_is_a_fault(proof: Proof) -> None:
    assert proof.one_image.build is not None
    layers = tuple(replace(layer, form=None, why="") for layer in proof.one_image.build.layers)
    assert list(layer_faults(CASE, layers)) == [
        "5 was recognised and got no form",
        "5 has a form and no reason for it",
    ]


def test_a_named_stage_that_is_missing_or_incomplete_is_a_fault(proof: Proof) -> None:
    build = proof.one_image.build
    assert build is not None
    named = onnx.ModelProto()
    named.CopyFrom(next(stage.proto for stage in build.stages if stage.name == "named"))
    del named.functions[:]
    damaged = replace(build, stages=(Stage(name="named", proto=named),))
    assert list(named_faults(damaged)) == ["no function is there for ['CondConv']"]
    assert list(named_faults(replace(build, stages=build.stages[:1]))) == ["it is missing"]
    assert list(named_faults(replace(build, layers=()))) == [
        "1 named nodes, expected one for each of 0 recognised layers"
    ]


# the file


def test_functions_foreign_operators_and_other_opsets_are_faults(proof: Proof) -> None:
    assert proof.one_image.build is not None
    named = proof.one_image.build.stages[1].proto
    assert list(file_faults(named, ONE_IMAGE)) == [
        "functions are left: ['CondConv']",
        "operators outside the standard are left: ['condmix.CondConv']",
        "operator sets are {'': 18, 'condmix': 1}, expected only 18 of the standard",
    ]
    assert list(file_faults(final(proof.one_image), ExportOptions(opset=17))) == [
        "operator sets are {'': 18}, expected only 17 of the standard"
    ]


def test_a_file_for_one_machine_has_to_say_so_and_no_other_may(proof: Proof) -> None:
    file = onnx.ModelProto.FromString(final(proof.one_image).SerializeToString())
    blocked = ExportOptions(condconv="blocked")
    assert list(file_faults(file, blocked)) == ["the metadata 'condmix_machine' is missing"]
    file.metadata_props.add(key="condmix_machine", value="{}")
    assert list(file_faults(file, ONE_IMAGE)) == ["the metadata 'condmix_machine' is there"]
    file.graph.node.add(op_type="Conv", domain="com.microsoft.nchwc")
    file.opset_import.add(domain="com.microsoft.nchwc", version=1)
    assert list(file_faults(file, blocked)) == []
    file.graph.node.add(op_type="Odd", domain="elsewhere")
    assert list(file_faults(file, blocked)) == ["operators outside the standard are left: ['elsewhere.Odd']"]


def test_an_operator_inside_a_branch_is_found() -> None:
    inner = onnx.helper.make_graph([onnx.helper.make_node("Odd", ["x"], ["y"], domain="elsewhere")], "inner", [], [])
    choice = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([choice], "outer", [], []), opset_imports=[onnx.helper.make_opsetid("", 18)]
    )
    assert list(file_faults(model, ONE_IMAGE)) == ["operators outside the standard are left: ['elsewhere.Odd']"]


def test_a_batch_axis_other_than_the_one_asked_for_is_a_fault(proof: Proof) -> None:
    assert list(file_faults(final(proof.one_image), ANY_BATCH)) == [
        "the first axis of 'input' is 1, expected 'batch'",
        "the first axis of 'logits' is 1, expected 'batch'",
    ]
    assert list(file_faults(final(proof.any_batch), ExportOptions(batch=3))) == [
        "the first axis of 'input' is 'batch', expected 3",
        "the first axis of 'logits' is 'batch', expected 3",
    ]


# the verification


def test_routing_that_stands_still_and_images_that_look_alike_are_faults(proof: Proof) -> None:
    good = verified(proof.any_batch)
    still = replace(good, images=replace(good.images, routing=RoutingSpread(largest_difference={"r": 0.0})))
    assert "does not move between the verification images" in "".join(verification_faults(still, ANY_BATCH))
    assert good.batches is not None
    alike = replace(good, batches=replace(good.batches, indistinct_pairs=((0, 1),)))
    assert any("inconclusive" in fault for fault in verification_faults(alike, ANY_BATCH))
    assert "batches were not compared" in list(verification_faults(replace(good, batches=None), ANY_BATCH))


def test_a_limit_that_allows_nearly_anything_is_a_fault(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "WIDEST_LIMIT", 1e-6)
    found = list(verification_faults(verified(proof.one_image), ONE_IMAGE))
    assert len(found) == 5
    assert found[0].startswith("captured on 1 threads: the limit is too wide: max|d|")


@pytest.fixture(scope="module")
def evidence(proof: Proof) -> Evidence:
    """Images, and PyTorch's results on them."""
    assert proof.one_image.build is not None
    return gather(
        proof.one_image.build, CASE.build(), CASE.input_size, batch=None, images=None, report_progress=lambda _: None
    )


def of_damaged(proto: onnx.ModelProto, options: ExportOptions, proof: Proof, evidence: Evidence) -> str:
    """All faults found when `proto` is verified in place of the file of the case."""
    assert proof.one_image.build is not None
    damaged = replace(proof.one_image.build, stages=(Stage(name="final", proto=proto),))
    verification = verify_onnx(
        damaged, evidence, batch=options.batch, tolerance=TOLERANCE, report_progress=lambda _: None
    )
    return "\n".join(verification_faults(verification, options))


def test_a_small_change_of_one_weight_is_a_fault(proof: Proof, evidence: Evidence) -> None:
    proto = final(proof.one_image)
    tensor = max(proto.graph.initializer, key=lambda item: int(np.prod(item.dims)))
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[int(np.abs(array).argmax())] *= 1.01
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    found = of_damaged(proto, ONE_IMAGE, proof, evidence)
    assert "final on 1 threads: max|d|" in found
    assert "the verification did not pass" in found


def test_a_result_that_leans_on_its_neighbours_is_a_fault(proof: Proof, evidence: Evidence) -> None:
    """Each row gets a thousandth of the batch's mean: nothing at batch 1 could tell."""
    proto = final(proof.any_batch)
    graph = proto.graph
    producer = next(node for node in graph.node if "logits" in node.output)
    producer.output[list(producer.output).index("logits")] = "own"
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "test/rows"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(1e-3, np.float32), "test/share"))
    graph.node.extend(
        [
            onnx.helper.make_node("ReduceMean", ["own", "test/rows"], ["test/mean"], keepdims=1),
            onnx.helper.make_node("Sub", ["own", "test/mean"], ["test/apart"]),
            onnx.helper.make_node("Mul", ["test/apart", "test/share"], ["test/leaning"]),
            onnx.helper.make_node("Add", ["own", "test/leaning"], ["logits"]),
        ]
    )
    found = of_damaged(proto, ANY_BATCH, proof, evidence)
    assert "batches: " in found
    assert "batch 2 (threads: 1), reference" in found


def test_a_file_for_one_image_that_only_claims_to_take_any_batch_is_a_fault(proof: Proof, evidence: Evidence) -> None:
    proto = final(proof.one_image)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    assert list(file_faults(proto, ANY_BATCH)) == []
    assert "batches: " in of_damaged(proto, ANY_BATCH, proof, evidence)


def test_a_network_without_a_tflite_file_is_refused_with_its_words() -> None:
    attempt = TfliteAttempt(options=ONE_TFLITE_IMAGE, refusal="blocks.0: TopK 'top': no TFLite form is known")
    assert list(tflite_faults(attempt, batch_refused=False, refused=("TopK", "no TFLite form"))) == []
    (fault,) = tflite_faults(attempt, batch_refused=False, refused=("Less",))
    assert fault.startswith("the refusal does not say 'Less': blocks.0: TopK")
    (fault,) = tflite_faults(TfliteAttempt(options=ONE_TFLITE_IMAGE), batch_refused=False, refused=("TopK",))
    assert fault == "exported, where a refusal was expected (TopK)"
