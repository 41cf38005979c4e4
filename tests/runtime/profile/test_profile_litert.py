"""TFLite files profiled by LiteRT, and by prefixes where it tells nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.runtime.profile import profile_litert as module
from condmix.runtime.profile.litert_events import NoEngineProfileError
from condmix.runtime.profile.profile_litert import profile_litert
from condmix.runtime.profile.records import Method, Profile
from condmix.runtime.profile.special import Row
from tests.runtime.audit.tflite_models import net
from tests.runtime.profile.nets import CHANNELS, EXPERTS, ROOF, condconv_tflite

MODULES = ["stem", "blocks.0.routing", "blocks.0.conv_dw", "act"]


def profiled(path: Path, content: bytes) -> Profile:
    path.write_bytes(content)
    return profile_litert(path, threads=1, runs=5, constructs={}, roof=ROOF)


def test_the_engine_times_every_operator_in_the_delegate_and_outside(tmp_path: Path):
    found = profiled(tmp_path / "net.tflite", condconv_tflite(96))  # large enough for whole microseconds
    assert found.method is Method.ENGINE
    assert [one.module for one in found.modules] == MODULES
    conv = found.modules[2]
    assert conv.kind == "CondConv"
    assert conv.multiply_adds == 9 * CHANNELS * (94 * 94 + EXPERTS)
    assert found.unattributed_share == 0
    assert found.delegate_coverage is not None
    assert found.delegate_coverage["not_delegated"] == {"DEPTHWISE_CONV_2D": 1}
    assert set(found.special) == set(Row)
    assert sum(found.special.values()) == pytest.approx(found.total_us)
    assert sum(one.time_us for one in found.operators) == pytest.approx(found.total_us)


@pytest.mark.parametrize("activations", ["float32", "int8"])
def test_files_that_are_too_small_for_the_engine_s_clock_are_timed_by_prefixes(activations: str, tmp_path: Path):
    found = profiled(tmp_path / "net.tflite", net(activations=activations, weights=activations))
    # Its operators take less than a microsecond each, which the engine rounds down to nothing.
    assert found.method is Method.PREFIXES
    assert "most operators are too short for the whole microseconds it tells" in found.notes[0]
    assert {"stem", "deep"} <= {one.module for one in found.modules}
    assert found.peak is (ROOF.int8_multiply_adds if activations == "int8" else ROOF.float_multiply_adds)


def test_without_times_of_the_engine_prefixes_are_timed_and_the_notes_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        text = "the installed ai_edge_litert brings no libLiteRt.so"
        raise NoEngineProfileError(text)

    monkeypatch.setattr(module, "engine_events", refuse)
    found = profiled(tmp_path / "net.tflite", condconv_tflite())
    assert found.method is Method.PREFIXES
    assert [one.module for one in found.modules] == MODULES
    assert found.operators == ()
    assert found.special == {}
    assert found.modules[0].multiply_adds == 64 * CHANNELS * CHANNELS
    assert all(one.time_us >= 0 for one in found.modules)
    assert found.notes[0].startswith("the engine told no times (the installed ai_edge_litert brings no libLiteRt.so)")
    assert any("the whole takes" in note for note in found.notes)
