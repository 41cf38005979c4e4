"""What every file of one network is compared with: images chosen for their routing, and its own results on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx

from condmix.exporters.build import Build
from condmix.exporters.verify.images import Images, candidate_images, user_images, with_more_inputs
from condmix.exporters.verify.oracle import Oracle, Reference, oracle_of
from condmix.exporters.verify.records import ImageFacts
from condmix.exporters.verify.routing import choose, routing_of, spread
from condmix.runtime.batches import BATCH_SIZES

if TYPE_CHECKING:
    from torch import nn

IMAGES_AT_BATCH_ONE = 5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The network itself, the images, and its results in float64 and float32.

    routing: rows (images, experts) by routing value, of the captured graph. kinds: what each output is, by name.
    """

    oracle: Oracle
    images: Images
    facts: ImageFacts
    reference: Reference
    routing: Mapping[str, np.ndarray] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


def gather(
    build: Build,
    network: Oracle | nn.Module,
    input_size: tuple[int, int, int],
    *,
    batch: int | None,
    images: np.ndarray | None,
    report_progress: Callable[[str], None],
) -> Evidence:
    """Choose images that drive the routing of the captured graph apart, and run the network itself on them.

    images: the user's own (count, channels, height, width), all of which are used; None to choose from a pool.
    Raises VerificationError when images or results are unsound.
    """
    report_progress("choose images")
    captured = build.stages[0].proto
    pool = candidate_images(input_size) if images is None else user_images(images, input_size)
    first, *more = captured.graph.input
    pool = with_more_inputs(pool, first.name, {value.name: _shape_of_one(value) for value in more})
    routing = routing_of(captured, build.routing_values, pool.array_nchw)
    if images is None:
        chosen = choose(routing, _image_count(batch), len(pool.sources))
        pool = pool.take(chosen)
        routing = {name: rows[list(chosen)] for name, rows in routing.items()}
    facts = ImageFacts(count=len(pool.sources), sources=pool.sources, sha256=pool.sha256, routing=spread(routing))
    oracle = oracle_of(network)
    report_progress(f"run {oracle.name}")
    reference = oracle.reference(pool.array_nchw, [output.name for output in captured.graph.output])
    return Evidence(
        oracle=oracle, images=pool, facts=facts, reference=reference, routing=routing, kinds=build.output_kinds
    )


def _shape_of_one(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Of an input, without the batch axis."""
    return tuple(int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)[1:]


def _image_count(batch: int | None) -> int:
    if batch is None:
        return max(BATCH_SIZES)
    return max(IMAGES_AT_BATCH_ONE, min(batch, 2 * IMAGES_AT_BATCH_ONE))
