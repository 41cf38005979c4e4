"""DepthToSpace equals ONNX Runtime's in both orders of channels, and stays in the delegate."""

from __future__ import annotations

import pytest

from condmix.runtime.delegate_coverage import coverage
from tests.exporters.sketch import Sketch
from tests.exporters.tflite.resampling_checks import check
from tests.exporters.tflite.running import counted, open_file


def blocks(mode: str, *, depth: int = 3, block: int = 2, images: int = 1) -> Sketch:
    sketch = Sketch()
    sketch.input("x", (images, depth * block**2, 3, 4))
    sketch.node("DepthToSpace", ["x"], "y", blocksize=block, mode=mode)
    return sketch


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("block", [2, 3])
@pytest.mark.parametrize(
    ("mode", "depth", "written_as"),
    [
        ("DCR", 3, {"DEPTH_TO_SPACE": 1}),
        ("CRD", 3, {"RESHAPE": 2, "TRANSPOSE": 1, "DEPTH_TO_SPACE": 1}),
        ("CRD", 1, {"DEPTH_TO_SPACE": 1}),
    ],
)
def test_both_orders(mode: str, depth: int, written_as: dict[str, int], block: int, images: int) -> None:
    content = check(blocks(mode, depth=depth, block=block, images=images))
    assert counted(content) == written_as
    assert coverage(open_file(content)).complete
