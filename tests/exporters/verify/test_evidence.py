"""What files are compared with: how many images, chosen how, and PyTorch's results on them."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from condmix.exporters.capture import Captured
from condmix.exporters.errors import VerificationError
from condmix.exporters.verify.evidence import IMAGES_AT_BATCH_ONE, Evidence, gather
from condmix.exporters.verify.records import LEAST_SPREAD
from condmix.runtime.batches import BATCH_SIZES
from tests.exporters.networks import INPUT_SIZE
from tests.exporters.verify.faulty_builds import built_with


def gathered(
    captured: Captured, network: nn.Module, *, batch: int | None = 1, images: np.ndarray | None = None
) -> Evidence:
    built = built_with(captured, stage="named")
    return gather(built, network, INPUT_SIZE, batch=batch, images=images, report_progress=lambda _stage: None)


@pytest.mark.parametrize(
    ("batch", "count"),
    [(1, IMAGES_AT_BATCH_ONE), (3, IMAGES_AT_BATCH_ONE), (7, 7), (500, 10), (None, max(BATCH_SIZES))],
)
def test_enough_images_for_the_batch(captured: Captured, network: nn.Module, batch: int | None, count: int) -> None:
    evidence = gathered(captured, network, batch=batch)
    assert evidence.facts.count == len(evidence.images.sources) == count
    assert evidence.reference.float64["logits"].shape == (count, 5)


def test_the_images_drive_the_routing_apart(captured: Captured, network: nn.Module) -> None:
    facts = gathered(captured, network).facts
    assert facts.routing.differs
    smallest = facts.routing.smallest
    assert smallest is not None
    assert smallest > 1000 * LEAST_SPREAD
    assert len(set(facts.sources)) == facts.count


def test_the_rows_of_the_routing_are_those_of_the_images_taken(captured: Captured, network: nn.Module) -> None:
    evidence = gathered(captured, network)
    assert list(evidence.routing) == list(evidence.facts.routing.largest_difference)
    for name, rows in evidence.routing.items():
        assert len(rows) == evidence.facts.count
        assert float(np.ptp(rows, axis=0).max()) == evidence.facts.routing.largest_difference[name]


def test_the_users_images_are_all_used(captured: Captured, network: nn.Module) -> None:
    images = np.random.default_rng(0).standard_normal((4, *INPUT_SIZE))
    evidence = gathered(captured, network, images=images)
    assert evidence.facts.sources == ("given 0", "given 1", "given 2", "given 3")
    np.testing.assert_array_equal(evidence.images.array_nchw, images.astype(np.float32))


def test_images_that_route_alike_are_stated(captured: Captured, network: nn.Module) -> None:
    same = np.repeat(np.ones((1, *INPUT_SIZE)), 3, axis=0)
    facts = gathered(captured, network, images=same).facts
    assert not facts.routing.differs
    assert facts.routing.smallest == 0.0


def test_unfit_images_are_refused(captured: Captured, network: nn.Module) -> None:
    with pytest.raises(VerificationError, match=r"verification images have shape \(1, 3, 9, 8\)"):
        gathered(captured, network, images=np.zeros((1, *INPUT_SIZE)))


def test_progress_names_what_is_done(captured: Captured, network: nn.Module) -> None:
    seen: list[str] = []
    gather(built_with(captured), network, INPUT_SIZE, batch=1, images=None, report_progress=seen.append)
    assert seen == ["choose images", "run PyTorch"]


def test_a_network_without_condconv_needs_no_routing(plain_captured: Captured, plain_network: nn.Module) -> None:
    facts = gathered(plain_captured, plain_network).facts
    assert (facts.routing.largest_difference, facts.routing.differs) == ({}, True)
