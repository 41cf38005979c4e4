"""The batch curve: sizes at their places, from zero."""

from __future__ import annotations

from condmix.deploy.report.chart_batches import BatchCurve, batch_chart
from tests.deploy.report.drawing import description, of_class, texts

CURVES = [
    BatchCurve(index=0, name="a.onnx", batch=(1, 2, 4), image_ms=(10.0, 8.0, 7.0)),
    BatchCurve(index=1, name="b.onnx", batch=(1, 8), image_ms=(5.0, 5.5)),
]


def test_every_size_of_every_curve_has_its_place() -> None:
    svg = batch_chart(CURVES, identity="b", title="b")
    assert len(of_class(svg, "marker")) == 5
    assert {"1", "2", "4", "8", "0"} <= set(texts(svg))
    assert (
        description(svg)
        == "a.onnx: batch 1: 10 ms, batch 2: 8 ms, batch 4: 7 ms; b.onnx: batch 1: 5 ms, batch 8: 5.5 ms"
    )


def test_one_point_is_a_chart() -> None:
    one = BatchCurve(index=0, name="a", batch=(3,), image_ms=(2.0,))
    assert len(of_class(batch_chart([one], identity="b", title="b"), "marker")) == 1
