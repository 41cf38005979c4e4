"""Module paths from the names that exporters give."""

from __future__ import annotations

import pytest

from condmix.runtime.profile.module_path import dotted, of_tensor


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("blocks.1.0.conv_dw", "blocks.1.0.conv_dw"),
        ("/blocks/blocks.1/blocks.1.0/conv_dw", "blocks.1.0.conv_dw"),
        ("/conv_stem", "conv_stem"),
        ("blocks/blocks.10", "blocks.10"),
        ("/layer/layers", "layer.layers"),
        ("model/block1a/se/reduce", "block1a.se.reduce"),
        ("model.blocks.0", "blocks.0"),
        ("model", "model"),
    ],
)
def test_scopes_become_paths(path: str, expected: str):
    assert dotted(path) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("blocks.0.conv_dw:getitem_3", "blocks.0.conv_dw"),
        ("blocks.0.conv_dw/mix_kernels", "blocks.0.conv_dw"),
        ("model/block1a/conv/Conv2D;model/block1a/bn/FusedBatchNorm", "block1a.conv"),
        ("StatefulPartitionedCall:0", None),
        ("input", None),
        ("", None),
    ],
)
def test_tensors_tell_their_module_or_none(name: str, expected: str | None):
    assert of_tensor(name) == expected
