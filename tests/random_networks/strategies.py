"""Hypothesis strategies: networks that fit together by construction and shrink to a single small layer."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from tests.random_networks.modules import shape_after
from tests.random_networks.plan import (
    ACTIVATIONS,
    CONDCONV_STYLES,
    MIXCONV_STYLES,
    PADDINGS,
    ROUTINGS,
    CondConv,
    Convolution,
    Layer,
    MixConv,
    NetworkPlan,
    Residual,
    Shape,
    SqueezeExcite,
    Window,
)

MOST_LAYERS = 3
FEWEST_CHANNELS = 3
"""In front of a special layer: routing on fewer hardly tells images apart."""
SMALLEST_KERNEL = 6
"""Numbers. One with fewer than its routing has is no mixture: it is its own narrowest description, and is declined."""
_FORMS = (("kernel", "parallel"), ("experts", "merged"), ("grouped", "hoisted"), ("matmul", "parallel"))


@st.composite
def plans(draw: st.DrawFn) -> NetworkPlan:
    """A whole network: odd sizes, odd channel counts, at least one CondConv or MixConv."""
    shape = image = draw(_images())
    layers: list[Layer] = []
    count = draw(st.integers(1, MOST_LAYERS))
    for index in range(count):
        special = index == 0 or draw(st.booleans())
        layer = draw(_layers(shape, special=special, keep=False))
        layers.append(layer)
        shape = shape_after(layer, shape)
    return NetworkPlan(
        seed=draw(st.integers(0, 10_000)),
        image=image,
        layers=tuple(layers),
        classes=draw(st.integers(3, 7)),
        forced=draw(st.sampled_from(_FORMS)),
    )


@st.composite
def _images(draw: st.DrawFn) -> Shape:
    size = st.integers(5, 17)
    return Shape(channels=draw(st.sampled_from((3, 4, 6, 8, 5))), height=draw(size), width=draw(size))


def _layers(shape: Shape, *, special: bool, keep: bool) -> st.SearchStrategy[Layer]:
    """A layer for a map of this shape; `keep` for one that does not change it."""
    options: list[st.SearchStrategy[Layer]] = []
    if shape.channels >= FEWEST_CHANNELS:
        options += [_condconvs(shape, keep), _mixconvs(shape, keep)]
        if not keep:
            options.append(_residuals(shape))
    if not special or not options:
        options.append(_convolutions(shape, keep))
        options.append(st.builds(SqueezeExcite, reduced=st.integers(1, 4), hard=st.booleans()))
    return st.one_of(options)


@st.composite
def _residuals(draw: st.DrawFn, shape: Shape) -> Residual:
    first = draw(_layers(shape, special=True, keep=True))
    more = draw(st.lists(_layers(shape, special=False, keep=True), max_size=1))
    return Residual(layers=(first, *more))  # type: ignore[arg-type]


@st.composite
def _windows(draw: st.DrawFn, shape: Shape, *, keep: bool) -> Window:
    odd = st.sampled_from((1, 3, 5))
    sizes = odd if keep else st.sampled_from((1, 3, 5, 2, 4))
    kernel = (draw(sizes), draw(sizes)) if draw(st.booleans()) else (draw(sizes),) * 2
    one_or_two = st.sampled_from((1, 2))
    window = Window(
        kernel=kernel,
        stride=(1, 1) if keep else draw(st.sampled_from(((1, 1), (2, 2), (2, 1)))),
        dilation=(draw(one_or_two),) * 2,
        padding=draw(st.sampled_from(("symmetric", "same"))) if keep else draw(st.sampled_from(PADDINGS)),
    )
    fits = min(window.output((shape.height, shape.width))) >= 1
    return window if fits else Window(kernel=(1, 1), stride=window.stride)


@st.composite
def _grouping(draw: st.DrawFn, shape: Shape, *, keep: bool) -> tuple[int, int]:
    """(groups, output channels): dense, depthwise, or as many groups as divide the channels."""
    groups = draw(st.sampled_from([1, shape.channels, *(n for n in (2, 3) if shape.channels % n == 0)]))
    if keep:
        return (groups, shape.channels)
    return (groups, groups * draw(st.integers(1, 2)) if groups > 1 else draw(st.integers(3, 9)))


@st.composite
def _convolutions(draw: st.DrawFn, shape: Shape, keep: bool) -> Convolution:
    groups, channels = draw(_grouping(shape, keep=keep))
    return Convolution(
        channels=channels,
        groups=groups,
        window=draw(_windows(shape, keep=keep)),
        bias=draw(st.booleans()),
        norm=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )


@st.composite
def _condconvs(draw: st.DrawFn, shape: Shape, keep: bool) -> CondConv:
    groups, channels = draw(_grouping(shape, keep=keep))
    window = draw(_windows(shape, keep=keep))
    numbers = channels * (shape.channels // groups) * window.kernel[0] * window.kernel[1]
    if numbers < SMALLEST_KERNEL:
        window = Window(kernel=(3, 3))
        numbers = SMALLEST_KERNEL
    return CondConv(
        channels=channels,
        groups=groups,
        window=window,
        experts=draw(st.integers(2, min(5, numbers - 1))),
        style=draw(st.sampled_from(CONDCONV_STYLES)),
        routing=draw(st.sampled_from(ROUTINGS)),
        bias=draw(st.booleans()),
        norm=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )


@st.composite
def _mixconvs(draw: st.DrawFn, shape: Shape, keep: bool) -> MixConv:
    branches = draw(st.integers(2, min(4, shape.channels)))
    cuts = sorted(draw(st.sets(st.integers(1, shape.channels - 1), min_size=branches - 1, max_size=branches - 1)))
    edges = [0, *cuts, shape.channels]
    return MixConv(
        shares=tuple(stop - start for start, stop in itertools.pairwise(edges)),
        kernels=tuple(draw(st.permutations((3, 5, 7, 9)))[:branches]),
        stride=1 if keep else draw(st.sampled_from((1, 2))),
        style=draw(st.sampled_from(MIXCONV_STYLES)),
        same=draw(st.booleans()),
        norm=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        expansion=draw(st.booleans()),
    )
