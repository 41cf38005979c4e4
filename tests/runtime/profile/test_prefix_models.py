"""Files cut short."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from condmix.runtime.errors import EngineMissingError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.profile.prefix_models import PrefixCutter
from tests.runtime.profile.nets import condconv_tflite

CONTENT = condconv_tflite()
IMAGE = np.random.default_rng(1).random((1, 8, 8, 16), dtype=np.float32)
STEM, GATES, MIXED, CONV = 1, 4, 5, 7


@pytest.mark.parametrize(
    ("operators", "outputs"),
    [
        (STEM, {"stem:y"}),
        (GATES, {"stem:y", "blocks.0.routing:gates"}),  # the stem is read again behind the cut
        (CONV, {"blocks.0.conv_dw:y"}),
        (8, {"act:z"}),
    ],
)
def test_a_prefix_computes_what_later_operators_read(operators: int, outputs: set[str]):
    whole = LiteRtBackend().open(CONTENT, threads=1, delegate=False, preserve_all_tensors=True)
    whole.run({"image": IMAGE})
    found = (
        LiteRtBackend().open(PrefixCutter(CONTENT).prefix(operators), threads=1, delegate=False).run({"image": IMAGE})
    )
    assert set(found) == outputs
    for name, values in found.items():
        np.testing.assert_array_equal(values, whole.tensor(name))


def test_weights_behind_the_cut_are_left_out():
    cutter = PrefixCutter(CONTENT)
    bank_bytes = 9 * 16 * 4 * 4
    assert len(cutter.prefix(MIXED)) - len(cutter.prefix(GATES)) > bank_bytes


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(EngineMissingError, match="flatbuffers"):
        PrefixCutter(CONTENT)
