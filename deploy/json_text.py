"""Records as JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping


def to_json(record: Mapping[str, object]) -> str:
    """The record as text that a person can read too; what JSON has no name for is an error, not a NaN."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
