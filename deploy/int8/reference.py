"""The reference beside int8 files: images of the kind that their ranges know, and the network's own results on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from condmix.deploy.int8.float_network import FloatNetwork
from condmix.deploy.int8.plan import Int8Plan
from condmix.deploy.int8.record import Int8FileOutcome
from condmix.deploy.reference_file import furthest_apart, reference_of
from condmix.exporters.verify.oracle import Oracle, oracle_of
from condmix.runtime.bench.reference import Limit, Reference

if TYPE_CHECKING:
    from torch import nn

FLOAT32 = "float32"


def int8_reference(
    plan: Int8Plan, source: Oracle | nn.Module, network: FloatNetwork, files: Sequence[Int8FileOutcome]
) -> Reference | None:
    """Some of the images that agreement was judged on, those that drive the routing furthest apart.

    A file's limit is what its agreement was held to; the network itself runs once more on these few images, in float64.
    None where its results are not finite, or where `reference_notes` says why.
    """
    if reference_notes(plan):
        return None
    oracle = oracle_of(source)
    places = furthest_apart(network.routing, len(network.judged_nchw))
    images = network.judged_nchw[places]
    return reference_of(
        network.input_names,
        images,
        oracle.float64(images, list(network.outputs)),
        images_are=network.judged_are,
        yardstick=oracle.name,
        limits={file.artifact.path.name: Limit(sqnr_db=file.verification.limits.least_sqnr_db) for file in files},
        kinds=network.kinds,
    )


def reference_notes(plan: Int8Plan) -> tuple[str, ...]:
    """Why there is no reference where there could have been one."""
    if plan.onnx is None or plan.onnx.io_dtype == FLOAT32:
        return ()
    return (
        f"no reference was written: the ONNX file takes {plan.onnx.io_dtype} and does not say of what scale, "
        "so real images cannot be fed to it later",
    )
