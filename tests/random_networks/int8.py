"""int8 files of a random network: whether each computes what its own numbers say, in both formats.

Agreement with float is not asked for: such a network is untrained, and many turn a single step into another kernel.
What is asked for is exact in steps of the quantisation, as in tests/conformance/int8_proof.py.
"""

from __future__ import annotations

from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.options import ExportOptions
from condmix.exporters.verify.images import candidate_images
from tests.conformance.int8_proof import prove_prepared
from tests.random_networks.modules import network_of
from tests.random_networks.plan import NetworkPlan


def int8_faults(plan: NetworkPlan) -> list[str] | None:
    """What is wrong with its two files, calibrated on the verifier's pool; None where the network is no subject."""
    try:
        network = network_of(plan)
    except ValueError:
        return None
    size = (plan.image.channels, plan.image.height, plan.image.width)
    prepared = prepare(capture(network, size), ExportOptions(stage="rewritten"), {}, lambda _stage: None)
    return prove_prepared(prepared, candidate_images(size).array_nchw).faults()
