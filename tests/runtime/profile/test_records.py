"""The profile as data."""

from __future__ import annotations

import json
import re

import pytest

from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.profile.records import Bound, Method, ModuleTime, OperatorTime, Profile
from condmix.runtime.profile.special import Row
from tests.runtime.profile.nets import ROOF


def module(name: str, time_us: float) -> ModuleTime:
    return ModuleTime(
        module=name, time_us=time_us, multiply_adds=4, size_bytes=8, bound=Bound.MEMORY, kind="convolution"
    )


def profile(**changes: object) -> Profile:
    fields: dict = {
        "engine": "onnxruntime",
        "method": Method.ENGINE,
        "runs": 3,
        "threads": 1,
        "total_us": 10.0,
        "operators": (OperatorTime(operator="Conv", nodes=2, time_us=10.0, multiply_adds=4),),
        "modules": (module("stem", 8.0), module("", 2.0)),
        "special": {Row.ROUTING: 1.0, Row.OTHER: 9.0},
        "delegate_coverage": None,
        "peak": ROOF.float_multiply_adds,
        "roof": ROOF,
        "notes": ("a note",),
    }
    return Profile(**{**fields, **changes})


def test_the_data_are_those_that_reports_read():
    data = json.loads(json.dumps(profile().to_dict()))
    assert data["engine"] == "onnxruntime"
    assert data["method"] == "engine profile"
    assert data["operators"] == [{"operator": "Conv", "nodes": 2, "time_us": 10.0, "multiply_adds": 4}]
    assert data["modules"][0] == {
        "module": "stem", "time_us": 8.0, "multiply_adds": 4, "bytes": 8, "bound": "memory", "kind": "convolution"
    }  # fmt: skip
    assert data["special"] == [{"row": "routing", "time_us": 1.0}, {"row": "other", "time_us": 9.0}]
    assert data["peak"] == {"multiply_adds_per_second": 1e9, "how": "said so"}
    assert data["peaks"]["int8"]["multiply_adds_per_second"] == 4e9
    assert data["bandwidth"] == {"bytes_per_second": 1e8, "how": "said so"}
    assert data["delegate_coverage"] is None
    assert data["unattributed_share"] == pytest.approx(0.2)
    assert data["schema_version"] == 1


def test_a_profile_of_nothing_is_refused_with_all_its_faults():
    expected = re.escape(
        "Profile cannot be made:\n"
        "  - runs must be at least 1, found 0\n"
        "  - threads must be at least 1, found 0\n"
        "  - total_us must be above 0, found 0.0"
    )
    with pytest.raises(InvalidSettingError, match=expected):
        profile(runs=0, threads=0, total_us=0.0)
