"""Words for what an output of a network is; a file carries them in its metadata where it is not all classes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

CLASSES = "classes"
"""Scores of classes that exclude each other: the largest names the class."""
LABELS = "labels"
"""A probability for each label on its own: a label holds above one half."""
EMBEDDING = "embedding"
"""A vector whose direction matters."""
VALUES = "values"
"""Anything else: feature maps, boxes, single numbers."""
KINDS = (CLASSES, LABELS, EMBEDDING, VALUES)
METADATA_KEY = "output_kinds"
_BY_NAME = (
    (re.compile(r"embed|feature|descriptor", re.IGNORECASE), EMBEDDING),
    (re.compile(r"box|offset|landmark|keypoint|regress", re.IGNORECASE), VALUES),
)
_LARGEST = 1 << 20


def kind_by_name(name: str) -> str | None:
    """The kind that an output's name tells: `image_embedding`, `boxes`; None for a name that tells none."""
    return next((kind for pattern, kind in _BY_NAME if pattern.search(name)), None)


def kinds_in(metadata: Mapping[str, str]) -> dict[str, str]:
    """The kinds that a file's metadata tells, by output; none where it tells nothing sound."""
    text = metadata.get(METADATA_KEY, "")
    if not text or len(text) > _LARGEST:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return sound_kinds(found)


def sound_kinds(data: object) -> dict[str, str]:
    """The kinds by output that plain data of any origin tells; what is no kind is left out."""
    if not isinstance(data, Mapping):
        return {}
    return {str(name): kind for name, kind in data.items() if kind in KINDS}


def class_output(kinds: Mapping[str, str], outputs: Sequence[str]) -> str | None:
    """The first of the outputs that scores classes, or None; where nothing is told of them, the first."""
    return next((name for name in outputs if kinds.get(name, CLASSES) == CLASSES), None)


def kinds_text(kinds: Mapping[str, str], outputs: Sequence[str]) -> str:
    """The outputs and what they are, as sentences list them."""
    return ", ".join(f"'{name}' ({kinds.get(name, CLASSES)})" for name in outputs)


def told_kinds(kinds: Mapping[str, str]) -> dict[str, str]:
    """What a record has to say of outputs; of a plain classifier nothing."""
    return {} if all(kind == CLASSES for kind in kinds.values()) else dict(kinds)
