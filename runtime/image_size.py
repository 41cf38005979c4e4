"""What a file for any height and width says of its sizes, in its metadata."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping

from condmix.runtime.signature import TensorSpec

METADATA_KEY = "dynamic_size"
IMAGE_AXES = 4
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")
_LARGEST = 1 << 16


def given_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Height and width that the file was made at; None for a file that says nothing sound of it."""
    text = metadata.get(METADATA_KEY, "")
    if not text or len(text) > _LARGEST:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = _SIZE.fullmatch(str(said.get("given", ""))) if isinstance(said, dict) else None
    return None if found is None else (int(found[1]), int(found[2]))


def with_usual_size(spec: TensorSpec, metadata: Mapping[str, str]) -> TensorSpec:
    """The input with the lengths that it has when nobody asks for others: of a batch of one image, where it is one."""
    size = given_size(metadata)
    if size is None or len(spec.shape) != IMAGE_AXES:
        return spec
    batch, channels, height, width = spec.shape
    if not isinstance(channels, int) or not (isinstance(height, str) and isinstance(width, str)):
        return spec
    first = batch if isinstance(batch, int) else 1
    return dataclasses.replace(spec, usual=(first, channels, *size))
