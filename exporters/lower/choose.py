"""Which form a layer gets: the one asked for, or by a written rule, with the reason in words.

The rule's thresholds come from measurements in ONNX Runtime on x86-64 (docs/benchmarks.md); they decide speed,
never results.
"""

from __future__ import annotations

from dataclasses import dataclass

from condmix.exporters.lower import (
    condconv_experts,
    condconv_grouped,
    condconv_kernel,
    condconv_matmul,
    mixconv_hoisted,
    mixconv_merged,
    mixconv_parallel,
)
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.expansion import find_expansion
from condmix.exporters.lower.form import CondConvForm, FormRefusal, MixConvForm
from condmix.exporters.named.condconv import CondConvLayer
from condmix.exporters.named.mixconv import MixConvLayer

CONDCONV_FORMS: tuple[CondConvForm, ...] = (
    condconv_kernel.FORM,
    condconv_grouped.FORM,
    condconv_matmul.FORM,
    condconv_experts.FORM,
)
MIXCONV_FORMS: tuple[MixConvForm, ...] = (mixconv_parallel.FORM, mixconv_hoisted.FORM, mixconv_merged.FORM)

DEPTHWISE_EXPERTS_LIMIT = 8
"""Up to so many experts, as many static depthwise convolutions cost no more than one with a computed kernel."""

CHANNEL_BLOCK = 16
"""Channels that ONNX Runtime's blocked layout handles at a time (16 with AVX-512, 8 with AVX2)."""

SMALL_MAP = 64
"""Up to so many output positions (7x7, 8x8) the zeros of a merged kernel cost more than a branch outside the blocks."""

MOST_GROWTH = 1.35
"""An axis that whole blocks would lengthen by more is left: that arithmetic costs more than a change of layout."""

MOST_PIECES = 2
"""Convolutions a branch that a grouped expansion may cause; a depthwise one would cause one a channel."""


@dataclass(frozen=True, kw_only=True)
class CondConvChoice:
    """The form of one CondConv and why."""

    form: CondConvForm
    why: str


@dataclass(frozen=True, kw_only=True)
class MixConvChoice:
    """The form of one MixConv and why."""

    form: MixConvForm
    why: str


def choose_condconv(layer: CondConvLayer, batch: BatchAxis, wanted: str) -> CondConvChoice | FormRefusal:
    """The form for a layer; a refusal when a form was asked for that cannot serve it."""
    if wanted != "auto":
        form = next(form for form in CONDCONV_FORMS if form.name == wanted)
        refusal = form.refuse(layer, batch)
        return refusal or CondConvChoice(form=form, why=f"asked for: --condconv {wanted}")
    if layer.is_depthwise:
        if batch.is_dynamic:
            return CondConvChoice(form=condconv_experts.FORM, why="depthwise at any batch: no kernel may be computed")
        if layer.experts <= DEPTHWISE_EXPERTS_LIMIT:
            why = (
                f"depthwise with {layer.experts} experts: static kernels stay in the runtime's fast layout, "
                "a computed one does not"
            )
            return CondConvChoice(form=condconv_experts.FORM, why=why)
        why = f"depthwise with {layer.experts} experts: so many static convolutions cost more than one computed kernel"
        form = condconv_kernel.FORM if batch.is_one else condconv_grouped.FORM
        return CondConvChoice(form=form, why=why)
    if batch.is_one:
        return CondConvChoice(
            form=condconv_kernel.FORM,
            why="one image: mixing once and one convolution is the least arithmetic",
        )
    why = "several images: one batched product, no group attribute and no baked batch"
    return CondConvChoice(form=condconv_matmul.FORM, why=why)


def choose_mixconv(layer: MixConvLayer, batch: BatchAxis, wanted: str) -> MixConvChoice | FormRefusal:
    """The form for a layer; a refusal when a form was asked for that cannot serve it."""
    if wanted != "auto":
        form = next(form for form in MIXCONV_FORMS if form.name == wanted)
        refusal = form.refuse(layer, batch)
        return refusal or MixConvChoice(form=form, why=f"asked for: --mixconv {wanted}")
    expansion = find_expansion(layer.x)
    if not layer.is_depthwise:
        return MixConvChoice(form=mixconv_parallel.FORM, why="branches that mix channels and do not form even groups")
    if expansion is None:
        return MixConvChoice(
            form=mixconv_merged.FORM, why="no expansion of its own in front: one kernel holds all branches"
        )
    sizes = [piece.stop - piece.start for piece in mixconv_hoisted.cut(layer, expansion)]
    if len(sizes) > MOST_PIECES * len(layer.branches):
        why = f"the {expansion.group} groups of the expansion would cut the branches into {len(sizes)} pieces"
        return MixConvChoice(form=mixconv_merged.FORM, why=why)
    whole = sum(-(-size // CHANNEL_BLOCK) * CHANNEL_BLOCK for size in sizes)
    if whole <= MOST_GROWTH * sum(sizes):
        why = f"branches of {_shown(sizes)} channels: no Split, each has its own expansion, in whole blocks"
        return MixConvChoice(form=mixconv_hoisted.FORM, why=why)
    if layer.output_chw[1] * layer.output_chw[2] <= SMALL_MAP:
        size = "x".join(str(length) for length in layer.output_chw[1:])
        why = f"on a map of {size} a merged kernel would be mostly zeros: own expansions"
        return MixConvChoice(form=mixconv_hoisted.FORM, why=why)
    why = f"branches of {_shown(sizes)} channels are narrow for blocks of {CHANNEL_BLOCK}: one kernel for all"
    return MixConvChoice(form=mixconv_merged.FORM, why=why)


def _shown(sizes: list[int]) -> str:
    return "+".join(str(size) for size in sizes)
