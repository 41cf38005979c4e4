"""Which architecture weights belong to: by the name beside them, or by which network has the same tensors."""

from collections.abc import Mapping

from torch import Tensor

from condmix.models import timm_source, zoo
from condmix.models.blueprint import TIMM, Blueprint, draw, with_sizes_of
from condmix.models.errors import ArchitectureNeededError
from condmix.models.key_matching import compare, is_counter
from condmix.models.state_dict import without_prefixes
from condmix.models.weightless import needed_tensors

_TIMM_PATTERNS = ("*mixnet*", "*efficientnet_cc_*")
"""The timm networks worth trying unasked: those with the two constructs."""


def named_in_file(
    place: str, name: str, tensors: Mapping[str, Tensor], settings: Mapping[str, object] | None
) -> Blueprint:
    """The blueprint of the name that stands beside the weights, of the zoo or of timm.

    Where both know it, the one with more of the tensors' names is meant. Raises `ArchitectureNeededError`
    where neither does.
    """
    if name.startswith(TIMM):
        return draw(name, settings)
    candidates = [f"{TIMM}{name}"] if timm_source.knows(name) else []
    if name in zoo.names():
        candidates.append(name)
    if not candidates:
        fits = fitting(tensors)
        also = "" if timm_source.installed() else " (timm, which is not installed, may: pip install 'condmix[timm]')"
        message = (
            f"{place}: says it holds weights of {name!r}, which neither the zoo nor timm has{also}. {_advice(fits)}"
        )
        raise ArchitectureNeededError(message, fits)
    if len(candidates) == 1:
        return draw(candidates[0], settings)
    shared = {candidate: _shared_count(candidate, tensors) for candidate in candidates}
    return draw(max(candidates, key=shared.__getitem__), settings)


def needed(place: str, tensors: Mapping[str, Tensor]) -> ArchitectureNeededError:
    """The error for weights without a name, with the names whose tensors fit as the next step."""
    fits = fitting(tensors)
    return ArchitectureNeededError(
        f"{place}: holds {len(tensors)} tensors and does not say of which network. {_advice(fits)}", fits
    )


def fitting(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the zoo and of timm's CondConv and MixNet networks that need exactly these tensors, up to the
    number of classes and input channels. Built without memory for weights, so it takes about a second."""
    variants = [dict(stripped) for _, stripped in without_prefixes(tensors)]
    keys = [{key for key in variant if not is_counter(key)} for variant in variants]
    names = [
        *zoo.names(),
        *(f"{TIMM}{name}" for pattern in _TIMM_PATTERNS for name in timm_source.matching(pattern)),
    ]
    found = []
    for name in names:
        blueprint = draw(name)
        needs = _needs(blueprint)
        needed_keys = {key for key in needs if not is_counter(key)}
        for variant, variant_keys in zip(variants, keys, strict=True):
            if variant_keys != needed_keys:
                continue
            sized = with_sizes_of(blueprint, needs, variant)
            if sized is not blueprint:
                needs = _needs(sized)
            if compare(needs, variant).fits:
                found.append(name)
            break
    return tuple(found)


def next_step(tensors: Mapping[str, Tensor], tried: str) -> str:
    """What to do about weights that do not fit the network tried."""
    return _advice(tuple(name for name in fitting(tensors) if name != tried))


def _advice(fits: tuple[str, ...]) -> str:
    if len(fits) == 1:
        return f"Their names and shapes fit {fits[0]}: give --arch {fits[0]}"
    if fits:
        return (
            f"Their names and shapes fit {', '.join(fits)}, which differ in what tensors do not show "
            "(padding, epsilon): give --arch with the one they were trained with"
        )
    return "Give --arch NAME, --arch timm:NAME, or --factory package.module:function for code of your own"


def _needs(blueprint: Blueprint) -> Mapping[str, Tensor]:
    return needed_tensors(blueprint.architecture, tuple(blueprint.settings.items()))


def _shared_count(name: str, tensors: Mapping[str, Tensor]) -> int:
    needs = set(_needs(draw(name)))
    return max(len(needs & set(stripped)) for _, stripped in without_prefixes(tensors))
