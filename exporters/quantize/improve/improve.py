"""Which improvements there are, and how they are run.

Equalisation changes the sizes of values, so it comes before calibration: `equalised` first, then calibrate, then
`improved`, whose steps need what calibration found and leave every range valid.

Layers that stay in float have to be named: a bias that makes up for rounding is wrong where nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from condmix.exporters.errors import OptionsError
from condmix.exporters.graph.builder import NodeBuilder
from condmix.exporters.graph.facts import is_op
from condmix.exporters.graph.splice import Replacement, Splicer
from condmix.exporters.named.condconv import is_condconv
from condmix.exporters.quantize.improve.adaptive_rounding import AdaptiveRounding
from condmix.exporters.quantize.improve.correct_bias import CorrectBias
from condmix.exporters.quantize.improve.equalise import Equalise
from condmix.exporters.quantize.improve.layers import Layer, read_layer, rebuilt
from condmix.exporters.quantize.improve.patches import samples
from condmix.exporters.quantize.parameters import INT8_SYMMETRIC, Grid
from condmix.exporters.quantize.ranges import Ranges
from condmix.exporters.records import RewriteStep
from condmix.exporters.rewrite.driver import run_rules

EQUALISE, BIAS, ROUNDING = "equalise", "bias", "rounding"
IMPROVEMENTS = (EQUALISE, BIAS, ROUNDING)
ROUNDING_IMAGES = 64
"""How many calibration images adaptive rounding looks at: the first ones."""
WITHOUT_WEIGHTS = ("Sigmoid", "Softmax", "HardSigmoid", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")


def check_names(names: Sequence[str]) -> None:
    """Raises OptionsError unless all names are improvements."""
    unknown = [name for name in names if name not in IMPROVEMENTS]
    if unknown:
        message = f"unknown improvement {', '.join(unknown)}: choose from {', '.join(IMPROVEMENTS)}"
        raise OptionsError(message)


def equalised(model: ir.Model, names: Sequence[str]) -> tuple[RewriteStep, ...]:
    """The graph's channels are of even size where an exact rule can make them so, if `names` asks for it.

    To be run before calibration. One step for each pair of layers, whatever the number of rounds.
    Raises OptionsError for a name that is no improvement.
    """
    check_names(names)
    if EQUALISE not in names:
        return ()
    last = {(step.path, step.applied): step for step in run_rules(model, (Equalise(),))}
    return tuple(last.values())


def improved(
    model: ir.Model,
    ranges: Ranges,
    names: Sequence[str],
    images_nchw: np.ndarray,
    report_progress: Callable[[str], None],
    *,
    float_layers: frozenset[str] = frozenset(),
    grid: Grid = INT8_SYMMETRIC,
) -> tuple[RewriteStep, ...]:
    """Biases and weights of the graph are changed for rounding to `grid`, as far as `names` asks for it.

    Layers at the module paths `float_layers` and those that compute a routing keep theirs. `images_nchw` are those of
    calibration. With both, rounding is made for a bias that is free to follow. Equalisation is not done here: see
    `equalised`. Raises OptionsError for a name that is no improvement.
    """
    check_names(names)
    routers = routing_layers(model)
    layers = [layer for node in model.graph if (layer := read_layer(node)) is not None]
    chosen = [layer for layer in layers if layer.path not in float_layers and layer.output_name not in routers]
    left_alone = frozenset(layer.output_name for layer in layers) - {layer.output_name for layer in chosen}
    steps: list[RewriteStep] = []
    if ROUNDING in names:
        for seen in samples(model, chosen, images_nchw[:ROUNDING_IMAGES], report_progress):
            rule = AdaptiveRounding(seen, with_bias=BIAS in names, grid=grid)
            steps.extend(run_rules(model, (rule,), approximate=frozenset({rule.name})))
    if BIAS in names:
        correction = CorrectBias(ranges, grid=grid, left_alone=left_alone)
        steps.extend(run_rules(model, (correction,), approximate=frozenset({correction.name})))
    return tuple(steps)


def restored(model: ir.Model, original: ir.Model, float_layers: frozenset[str]) -> ir.Model:
    """A copy of the improved `model` in which the layers at these module paths are again as in `original`.

    `original` is the graph as it was before `improved`. Equal to improving again with these `float_layers`, and quick.
    """
    copy = model.clone()
    before = {layer.output_name: layer for node in original.graph if (layer := read_layer(node)) is not None}
    splicer = Splicer(copy.graph)
    for node in list(copy.graph):
        layer = read_layer(node)
        if layer is not None and layer.path in float_layers:
            builder = NodeBuilder(layer.path)
            result = rebuilt(layer, before[layer.output_name].parts, builder)
            splicer.apply(Replacement(removed=(node,), results=((layer.output, result),), builder=builder))
    splicer.finish()
    return copy


def routing_layers(model: ir.Model) -> frozenset[str]:
    """Names of the outputs of the layers that compute a routing: a small error there moves whole kernels."""
    found: set[str] = set()
    for node in model.graph:
        if is_condconv(node):
            layer = _layer_behind(node.inputs[1])
            if layer is not None:
                found.add(layer.output_name)
    return frozenset(found)


def _layer_behind(value: ir.Value | None) -> Layer | None:
    node = None if value is None else value.producer()
    while node is not None and is_op(node, *WITHOUT_WEIGHTS) and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return None if node is None else read_layer(node)
