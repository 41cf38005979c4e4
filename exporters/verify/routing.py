"""Choosing images by what they do to the routing, and stating how far apart they drive it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx

from condmix.exporters.verify.records import RoutingSpread
from condmix.exporters.verify.shown_values import with_outputs
from condmix.runtime.joint_inputs import as_batch, feeds
from condmix.runtime.onnx_session import OnnxRuntimeBackend

SHUT = 1e-3
"""Of the largest gate of a block: what such an expert adds to a kernel comes near the tolerance of float32."""


def routing_of(
    proto: onnx.ModelProto, routing_values: Sequence[str], images_nchw: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Every block's routing for every image, (images, experts) by value name, from the captured graph."""
    if not routing_values:
        return {}
    session = OnnxRuntimeBackend().open(with_outputs(proto, routing_values).SerializeToString(), threads=1)
    names = [spec.name for spec in session.signature.inputs]
    rows: dict[str, list[np.ndarray]] = {value: [] for value in routing_values}
    for image in images_nchw:
        outputs = session.run(feeds(as_batch(image), names))
        for value in routing_values:
            rows[value].append(outputs[value].reshape(-1))
    return {value: np.stack(items) for value, items in rows.items()}


def spread(routing: Mapping[str, np.ndarray]) -> RoutingSpread:
    """The largest difference that any two images make to any expert's weight, block by block, and experts left shut."""
    idle: dict[str, tuple[int, ...]] = {}
    for name, rows in routing.items():
        strongest = np.abs(rows).max(axis=0)
        shut = np.flatnonzero(strongest <= SHUT * strongest.max())
        if shut.size:
            idle[name] = tuple(int(expert) for expert in shut)
    return RoutingSpread(
        largest_difference={name: float(np.ptp(rows, axis=0).max()) for name, rows in routing.items()}, idle=idle
    )


def choose(routing: Mapping[str, np.ndarray], count: int, available: int) -> tuple[int, ...]:
    """Greedily pick `count` images whose routing vectors lie far from each other; the first two come first.

    Distance is summed over blocks, each scaled by its own largest spread, so that no block drowns the others.
    """
    chosen = [0, min(4, available - 1)]
    if not routing:
        return tuple(dict.fromkeys([*chosen, *range(available)]))[:count]
    scaled = [rows / max(float(np.ptp(rows, axis=0).max()), 1e-12) for rows in routing.values()]
    points = np.concatenate(scaled, axis=1)
    while len(chosen) < min(count, available):
        distance = np.stack([np.abs(points - points[index]).sum(axis=1) for index in chosen]).min(axis=0)
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
    return tuple(chosen[:count])
