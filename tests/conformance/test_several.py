"""Several outputs and inputs: every network in both formats and both precisions, each output judged by its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from condmix.exporters.verify.records import Verification
from condmix.runtime.joint_inputs import joint, mapped
from tests.conformance.int8_proof import prove_prepared
from tests.conformance.several import CASES, SeveralCase, prove


def outputs_of(verification: Verification) -> list[str]:
    return [output.name for output in verification.final.outputs]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=() if case.quick else pytest.mark.slow) for case in CASES]
)
def test_every_output_is_exported_and_judged(case: SeveralCase) -> None:
    proof = prove(case)
    assert proof.prepared.built.output_kinds == case.kinds
    for name, verification in proof.verifications.items():
        assert verification.passed, f"{name}: {verification.final.sentence()}"
        assert outputs_of(verification) == list(case.kinds)
    top1 = {output.name: output.top1_agreement for output in proof.verifications["onnx, batch 1"].final.outputs}
    assert {name for name, share in top1.items() if share is not None} == {
        name for name, kind in case.kinds.items() if kind == "classes"
    }
    int8 = prove_prepared(proof.prepared, proof.evidence.images.array_nchw)
    assert int8.faults() == []
    for file in int8.files.values():
        found = {item.name: item for item in file.verification.agreement}
        assert list(found) == list(case.kinds)
        assert all((found[name].label_agreement is not None) == (kind == "labels") for name, kind in case.kinds.items())
        assert all(found[name].is_embedding == (kind == "embedding") for name, kind in case.kinds.items())


def test_inputs_that_change_places_are_seen() -> None:
    """The guard: numbers of the context of another image make another result, so no input is fed for another."""
    case = next(case for case in CASES if case.name == "told")
    torch.manual_seed(0)
    network = case.build().eval()
    generator = np.random.default_rng(0)
    shapes = {"image": (3, 24, 24), **case.more_inputs}
    rows = joint({name: generator.standard_normal((2, *shape)).astype(np.float32) for name, shape in shapes.items()})
    moved = rows.copy()
    moved["context"] = rows["context"][::-1]
    with torch.no_grad():
        results = [
            network(*(torch.from_numpy(np.ascontiguousarray(given[name])) for name in shapes))[0].numpy()
            for given in (rows, moved, mapped(rows, np.copy))
        ]
    assert np.abs(results[0] - results[1]).max() > 1e-3  # two hundred times what parity allows
    np.testing.assert_array_equal(results[0], results[2])
