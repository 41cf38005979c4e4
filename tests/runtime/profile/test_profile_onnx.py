"""ONNX files of others, profiled by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from condmix.runtime.profile.profile_onnx import profile_onnx
from condmix.runtime.profile.records import Method, Profile
from condmix.runtime.profile.special import Row
from tests.runtime.audit.onnx_files import float_net
from tests.runtime.profile.nets import CHANNELS, EXPERTS, ROOF, condconv_onnx


def profiled(path: Path, content: bytes) -> Profile:
    path.write_bytes(content)
    return profile_onnx(path, threads=1, runs=3, shapes={}, constructs={}, roof=ROOF)


def test_every_module_of_a_foreign_condconv_gets_its_time(tmp_path: Path):
    found = profiled(tmp_path / "net.onnx", condconv_onnx())
    modules = {one.module: one for one in found.modules}
    assert {"conv_stem", "blocks.0.1.routing", "blocks.0.1.conv_pw"} <= set(modules)
    conv = modules["blocks.0.1.conv_pw"]
    assert conv.kind == "CondConv"
    assert conv.multiply_adds == CHANNELS * CHANNELS * (256 + EXPERTS)
    assert modules["blocks.0.1.routing"].kind == "routing"
    assert all(one.time_us > 0 for one in (conv, modules["conv_stem"]))
    assert found.unattributed_share == 0
    assert found.method is Method.ENGINE
    assert found.special[Row.ROUTING] > 0
    assert found.special[Row.KERNEL_MIXING] > 0
    for parts in (found.operators, found.modules):
        assert sum(one.time_us for one in parts) == pytest.approx(found.total_us)
    assert sum(found.special.values()) == pytest.approx(found.total_us)


def test_a_file_without_names_is_listed_by_node_with_a_note(tmp_path: Path):
    found = profiled(tmp_path / "net.onnx", condconv_onnx(named=False))
    assert any(note.startswith("the file tells no PyTorch modules") for note in found.notes)
    assert len(found.modules) > 3


def test_layout_changes_count_with_their_module(tmp_path: Path):
    found = profiled(tmp_path / "net.onnx", float_net())
    assert found.unattributed_share == 0
    assert {one.module for one in found.modules} >= {"stem", "blocks.0.dw", "blocks.0.pw", "classifier"}
