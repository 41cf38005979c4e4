"""int8 expert banks in a float export: stages, forms, and routings without bounds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from condmix.exporters.build import prepare
from condmix.exporters.capture import capture
from condmix.exporters.errors import NotExportableError
from condmix.exporters.options import ExportOptions
from condmix.exporters.quantize.onnx.bank_build import EXACT_STAGE, build_with_int8_banks
from condmix.models import digits, zoo
from condmix.models.condconv import CondConv2d
from condmix.models.settling import settled_in_one_pass


class Unbounded(nn.Module):
    """Gates of a plain Linear: they may be anything."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(3, 2)
        self.layer = CondConv2d(3, 4, 3, experts=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x, self.router(x.mean((2, 3))))
        return result


def prepared_of(module: nn.Module, size: tuple[int, int, int]):  # type: ignore[no-untyped-def]
    captured = capture(module.eval(), size)
    return prepare(captured, ExportOptions(stage="rewritten"), {}, lambda _stage: None)


def test_the_float_graph_is_a_stage_before_the_rounded_one() -> None:
    images = torch.from_numpy(digits.load().train_images[:8])
    module = settled_in_one_pass(
        lambda: zoo.build("condconv_digits", {"width": 0.5, "experts": 2}),
        seed=1,
        images=images,
        routers=lambda _network: (),
    )
    built = build_with_int8_banks(prepared_of(module, (1, 32, 32)), 18, {"who": "me"}, lambda _stage: None)
    assert [stage.name for stage in built.stages] == ["captured", "named", "rewritten", EXACT_STAGE, "final"]
    assert all(layer.form for layer in built.layers)
    assert built.final.proto.ByteSize() < 0.6 * built.stages[-2].proto.ByteSize()


def test_a_routing_without_bounds_needs_calibration() -> None:
    with pytest.raises(NotExportableError) as caught:
        build_with_int8_banks(prepared_of(Unbounded(), (3, 8, 8)), 18, {}, lambda _stage: None)
    assert "is neither a sigmoid nor a softmax: its range is not known" in str(caught.value)
    assert "use --int8 with --calib, or leave out --experts int8" in str(caught.value)
