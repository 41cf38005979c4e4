"""The detectors of the papers as cases: raw heads, at each width that CondConv's paper gives and with MixConv.

What is behind the heads, and int8, is proven through the command line in test_detectors.py.
"""

from __future__ import annotations

from functools import partial

from condmix.models import zoo
from tests.conformance.case import ConformanceCase, exports
from tests.conformance.cases import settled

CLASSES = 5
QUICK = "ssd_condconv_mobilenet_v1, width 0.5"


def _detector(name: str, seed: int, *, width: float, side: int, condconv: int = 0, mixconv: int = 0) -> ConformanceCase:
    """At 64x64 the backbone's maps have 4x4 and 2x2 cells, at 96x96 6x6 and 3x3; the last extra maps have one."""
    size = (3, side, side)
    settings: dict[str, object] = {"num_classes": CLASSES, "width": width, "input_size": side}
    full_name = f"{name}, width {width:g}"
    return ConformanceCase(
        name=full_name,
        source="detectors",
        style=zoo.describe(name).summary,
        build=partial(settled, name, settings, size, seed),
        input_size=size,
        condconv_layers=condconv,
        mixconv_layers=mixconv,
        exports=exports(),
        quick=full_name == QUICK,
    )


DETECTOR_CASES: tuple[ConformanceCase, ...] = (
    _detector("ssd_condconv_mobilenet_v1", 61, width=0.5, side=64, condconv=16),
    _detector("ssd_condconv_mobilenet_v1", 61, width=0.75, side=64, condconv=16),
    _detector("ssd_condconv_mobilenet_v1", 60, width=1.0, side=96, condconv=16),
    _detector("ssdlite_mixconv_mobilenet_v1", 60, width=0.5, side=64, mixconv=13),
    _detector("ssdlite_mixconv_mobilenet_v2", 60, width=0.5, side=64, mixconv=17),
    _detector("ssdlite_mixconv_mobilenet_v1", 60, width=1.0, side=96, mixconv=13),
    _detector("ssdlite_mixconv_mobilenet_v2", 60, width=1.0, side=96, mixconv=17),
)
