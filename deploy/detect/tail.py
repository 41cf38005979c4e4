"""A detector with as much of its tail as was asked for, and what its outputs are, for the file and the record."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from condmix.deploy.detect.flags import BOXES, NMS, RAW, DetectionFlags
from condmix.exporters.detection.refuse import anchors_do_not_fit, not_a_detector
from condmix.runtime.detection.boxes import CENTRE_SCALE, SIZE_SCALE

if TYPE_CHECKING:
    from condmix.models.network import TorchNetwork

FLOAT_MODULES = ("boxes", "scores", "decode")
"""What stays float in int8 files: the maps are joined in float, so that each keeps its own scale, and then decoded."""


def with_tail(network: TorchNetwork, flags: DetectionFlags) -> TorchNetwork:
    """The network with decoding behind it where that was asked for; any other network as it is.

    Raises NotExportableError where a tail was asked for and the network does not say its anchors, or they do not fit
    its outputs; as raw heads such a network is exported like any other.
    """
    from condmix.models.anchor_check import AnchorsError, checked_anchors
    from condmix.models.box_coding import GivesAnchors, with_decoding

    module = network.module
    # A network of somebody else's may keep numbers under that name.
    if not isinstance(module, GivesAnchors) or not callable(module.anchors):
        refuse_tail(network.architecture, flags)
        return network
    try:
        anchors = checked_anchors(module, network.input_size)
    except AnchorsError as error:
        if flags.detections in (BOXES, NMS):
            raise anchors_do_not_fit(network.architecture, str(error)) from error
        return network
    asked = flags.detections or RAW
    facts = detection_facts(asked, anchors, flags)
    if asked == RAW:
        return dataclasses.replace(network, detection=facts)
    return dataclasses.replace(network, module=with_decoding(module, anchors), detection=facts)


def refuse_tail(name: str | Path, flags: DetectionFlags) -> None:
    """Nothing happens unless a tail was asked for, of a network that does not say its anchors: NotExportableError."""
    if flags.detections in (BOXES, NMS):
        raise not_a_detector(str(name))


def detection_facts(asked: str, anchors: np.ndarray, flags: DetectionFlags) -> Mapping[str, object]:
    """What a reader of the outputs has to know. Anchors are told where the file does not hold them as constants."""
    common: dict[str, object] = {"outputs": asked, "anchor_count": len(anchors)}
    if asked == RAW:
        return {
            **common,
            "boxes": "deltas of centre x, centre y, width, height from the anchors",
            "scores": "logits of independent sigmoids, no class for the background",
            "centre_scale": CENTRE_SCALE,
            "size_scale": SIZE_SCALE,
            "anchors": base64.b64encode(anchors.astype("<f4").tobytes()).decode("ascii"),
            "anchors_are": "float32, little-endian, (anchors, 4): centre x, centre y, width, height, in shares of the "
            "picture, in base64",
        }
    told = {
        **common,
        "boxes": "x_min, y_min, x_max, y_max in shares of the picture",
        "scores": "probabilities of independent classes, none for the background",
    }
    return {**told, "suppression": flags.suppression.to_dict()} if asked == NMS else told


def anchors_in(facts: Mapping[str, object]) -> np.ndarray | None:
    """The anchors (count, 4) that the facts tell; None where the file decodes itself."""
    text = facts.get("anchors")
    if not isinstance(text, str):
        return None
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 4)
