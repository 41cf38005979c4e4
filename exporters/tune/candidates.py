"""The forms that a site may take, each with its reason when it is not worth a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import onnx_ir as ir

from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.choose import CHANNEL_BLOCK, CONDCONV_FORMS, choose_condconv, choose_mixconv
from condmix.exporters.lower.expansion import find_expansion
from condmix.exporters.lower.form import FormRefusal
from condmix.exporters.lower.pointwise_groups import POINTWISE_FORMS, is_pointwise_groups, read_pointwise_groups
from condmix.exporters.named.condconv import CondConvLayer, is_condconv, read_condconv
from condmix.exporters.named.mixconv import MixConvLayer, read_mixconv
from condmix.exporters.tune.sites import Site

MOST_TIMES_THE_ARITHMETIC = 4.0
"""A dense form with so many times the multiply-adds of one that computes each kernel once has never been faster."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """forms: one for each layer of the site, in its order."""

    forms: tuple[str, ...]

    @property
    def name(self) -> str:
        """In one word, the same for sites of equal signature."""
        return " + ".join(self.forms)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What can be measured at a site. table: what the written rule gives it; it is the first candidate.

    left_out: form -> why it is not measured.
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def table(self) -> Candidate:
        """The form of the untuned export."""
        return self.candidates[0]


def choices_of(site: Site, batch: BatchAxis) -> Choices:
    """All exact forms of the site at that batch, the written rule's first. The site is that of a rewritten graph."""
    left_out: list[tuple[str, str]] = []
    table: list[str] = []
    ways: list[list[str]] = []
    for node in site.nodes:
        if is_condconv(node):
            layer = read_condconv(node)
            choice = choose_condconv(layer, batch, "auto")
            assert not isinstance(choice, FormRefusal)
            table.append(choice.form.name)
            ways.append(list(_condconv_forms(layer, batch, left_out)))
        elif is_pointwise_groups(node):
            table.append(POINTWISE_FORMS[0].name)
            # Hoisting splits at the groups already: a Split of its own is for an expansion that stands alone.
            ways.append([form.name for form in POINTWISE_FORMS if len(site.nodes) == 1 or form.name != "parallel"])
        else:
            mixed = read_mixconv(node)
            mix_choice = choose_mixconv(mixed, batch, "auto")
            assert not isinstance(mix_choice, FormRefusal)
            table.append(mix_choice.form.name)
            ways.append(list(mixconv_forms(mixed)))
    first = Candidate(forms=tuple(table))
    others = (Candidate(forms=forms) for forms in product(*ways))
    return Choices(candidates=tuple(dict.fromkeys((first, *others))), left_out=tuple(left_out))


def _condconv_forms(layer: CondConvLayer, batch: BatchAxis, left_out: list[tuple[str, str]]) -> Iterator[str]:
    for form in CONDCONV_FORMS:
        refusal = form.refuse(layer, batch)
        reason = None if refusal is None else refusal.reason
        if reason is None and batch.is_one and form.name == "grouped":
            reason = "one image: the same convolution as `kernel`"
        if reason is None and form.name == "experts" and not layer.is_depthwise:
            once = layer.convolution_multiply_adds + layer.mixing_multiply_adds
            times = layer.convolution_multiply_adds * layer.experts / once
            if times > MOST_TIMES_THE_ARITHMETIC:
                reason = f"{times:.1f} times the multiply-adds of a kernel mixed once"
        if reason is None:
            yield form.name
        else:
            left_out.append((form.name, reason))


def mixconv_forms(layer: MixConvLayer) -> Iterator[str]:
    """The names of all forms worth measuring: split or hoisted, merged in part, cut where blocks are whole."""
    if not layer.is_depthwise:
        yield "parallel"
        return
    base = "parallel" if find_expansion(layer.x) is None else "hoisted"
    yield base
    yield "merged"
    for cuts in cut_lists(layer):
        yield f"{base}@{','.join(map(str, cuts))}"


def cut_lists(layer: MixConvLayer) -> tuple[tuple[int, ...], ...]:
    """Cuts at whole blocks: one for each pair of neighbouring branches, then all but one, then neighbours in pairs."""
    bounds: list[int] = []
    stop = 0
    for branch, after in pairwise(layer.branches):
        stop += branch.in_channels
        # Channels may only move to the larger kernel, in which theirs fits among zeros.
        rises = branch.settings.kernel <= after.settings.kernel
        rounded = stop // CHANNEL_BLOCK * CHANNEL_BLOCK if rises else -(-stop // CHANNEL_BLOCK) * CHANNEL_BLOCK
        bounds.append(rounded)
    whole = tuple(bounds)
    lists = [whole]
    lists += [tuple(bounds[:place] + bounds[place + 1 :]) for place in range(len(bounds))]
    lists.append(tuple(bounds[1::2]))
    own = _own_bounds(layer)
    channels = layer.input_chw[0]
    return tuple(
        cuts
        for cuts in dict.fromkeys(lists)
        if cuts and cuts != own and all(low < high for low, high in pairwise((0, *cuts, channels)))
    )


def _own_bounds(layer: MixConvLayer) -> tuple[int, ...]:
    bounds, stop = [], 0
    for branch in layer.branches[:-1]:
        stop += branch.in_channels
        bounds.append(stop)
    return tuple(bounds)


def describe(node: ir.Node) -> str:
    """A layer in a few words, for progress and tables."""
    if is_condconv(node):
        layer = read_condconv(node)
        kernel = "x".join(map(str, layer.settings.kernel))
        kind = "depthwise " if layer.is_depthwise else ""
        size = "x".join(map(str, layer.output_chw[1:]))
        return f"CondConv {kind}{kernel} {layer.input_chw[0]}>{layer.output_chw[0]} at {size}, {layer.experts} experts"
    if is_pointwise_groups(node):
        grouped = read_pointwise_groups(node)
        size = "x".join(map(str, grouped.output_chw[1:]))
        return f"MixConv of {grouped.groups} 1x1 {grouped.input_chw[0]}>{grouped.output_chw[0]} at {size}"
    mixed = read_mixconv(node)
    kernels = ",".join(str(kernel[0]) for kernel in mixed.kernels)
    size = "x".join(map(str, mixed.output_chw[1:]))
    return f"MixConv {kernels} of {mixed.input_chw[0]} channels at {size}"
