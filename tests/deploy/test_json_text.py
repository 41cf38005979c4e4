"""Records as JSON text."""

from __future__ import annotations

import json
import math

import pytest

from condmix.deploy.json_text import to_json


def test_what_json_cannot_say_is_an_error_and_not_a_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"x": math.nan})


def test_text_stays_readable() -> None:
    assert to_json({"class_names": ["Café"]}) == '{\n  "class_names": [\n    "Café"\n  ]\n}\n'
    assert json.loads(to_json({"a": (1, 2)})) == {"a": [1, 2]}
