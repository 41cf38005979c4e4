"""Puts weights into the network they belong to, whatever says which one that is."""

import dataclasses
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from condmix.models import architecture_choice, factory, timm_source
from condmix.models.batch_statistics import explain, refuse_batch_statistics
from condmix.models.blueprint import Blueprint, draw, preprocessing_of, with_sizes_of
from condmix.models.checkpoint_format import CheckpointContents
from condmix.models.key_matching import compare, is_counter, require_fit
from condmix.models.preprocessing import InputSize, Preprocessing
from condmix.models.state_dict import FoundWeights, parts, without_prefixes
from condmix.models.tensor_checks import as_float32

_SHOWN = 5
_LONGEST = 120


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assembly:
    """A network with its weights. What nobody says of its input is None."""

    module: nn.Module
    architecture: str
    settings: Mapping[str, object]
    input_size: InputSize | None
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def from_own_format(place: str, contents: CheckpointContents) -> Assembly:
    """The network of a file that says everything itself."""
    tensors, notes = as_float32(place, contents.state_dict)
    blueprint = draw(contents.architecture, contents.settings)
    module = blueprint.build().float()
    _fill(place, blueprint.architecture, module, tensors, _its_settings)
    return Assembly(
        module=module,
        architecture=contents.architecture,
        settings=contents.settings,
        input_size=contents.input_size,
        preprocessing=contents.preprocessing,
        class_names=contents.class_names,
        notes=(*contents.remarks, *notes),
    )


def from_architecture(
    place: str, found: FoundWeights, architecture: str | None, settings: Mapping[str, object] | None
) -> Assembly:
    """The network of the zoo or of timm named by the caller, else by the file.

    The number of classes and input channels are the file's, unless `settings` say them. Raises
    `ArchitectureNeededError` where nobody names it, `KeyMismatchError` where the tensors do not fit.
    """
    raw, dtype_notes = as_float32(place, found.tensors)
    if architecture is not None:
        blueprint = draw(architecture, settings)
    elif found.architecture is not None:
        blueprint = architecture_choice.named_in_file(place, found.architecture, raw, settings)
    else:
        raise architecture_choice.needed(place, raw)
    module = blueprint.build().float()
    needed = module.state_dict()
    tensors, prefix_notes = _best_prefix(raw, needed)
    if blueprint.without_head:
        tensors, head_notes = _without_head(tensors, needed)
        prefix_notes = (*prefix_notes, *head_notes)
    sized = with_sizes_of(blueprint, needed, tensors)
    if sized is not blueprint:
        module = sized.build().float()
    _fill(
        place,
        sized.architecture,
        module,
        tensors,
        lambda: _about_norms(module, tensors) or architecture_choice.next_step(tensors, sized.architecture),
    )
    return Assembly(
        module=module,
        architecture=sized.architecture,
        settings=sized.settings,
        input_size=sized.input_size,
        preprocessing=sized.preprocessing,
        notes=(*found.notes, *prefix_notes, *dtype_notes, *_size_notes(blueprint, sized), *sized.notes),
    )


def from_factory(place: str, found: FoundWeights, name: str) -> Assembly:
    """The network that the user's function builds, with the file's weights."""
    raw, dtype_notes = as_float32(place, found.tensors)
    module = factory.build(name).float()
    tensors, prefix_notes = _best_prefix(raw, module.state_dict())
    _fill(
        place,
        f"the network of {name}",
        module,
        tensors,
        lambda: _about_norms(module, tensors) or f"Let {name} build the network these weights were trained in",
    )
    refuse_batch_statistics(place, module)
    return _described_by_itself(module, f"factory:{name}", (*found.notes, *prefix_notes, *dtype_notes))


def from_pickled_module(place: str, module: nn.Module, notes: tuple[str, ...]) -> Assembly:
    """The network that a file holds whole, with the weights in it."""
    _, dtype_notes = as_float32(place, module.state_dict())
    refuse_batch_statistics(place, module)
    kind = type(module)
    return _described_by_itself(module.float(), f"pickle:{kind.__module__}.{kind.__qualname__}", (*notes, *dtype_notes))


def _described_by_itself(module: nn.Module, architecture: str, notes: tuple[str, ...]) -> Assembly:
    """Networks that timm built carry the description of their input; others say nothing."""
    described = getattr(module, "pretrained_cfg", None)
    size, preprocessing = None, None
    if isinstance(described, Mapping) and timm_source.installed():
        config = timm_source.config_of(described)
        channels, height, width = config["input_size"]
        size = (channels, height, width)
        preprocessing, config_notes = preprocessing_of(architecture, config, channels)
        notes = (*notes, *config_notes)
    return Assembly(
        module=module,
        architecture=architecture,
        settings={},
        input_size=size,
        preprocessing=preprocessing,
        notes=notes,
    )


def _best_prefix(
    tensors: Mapping[str, Tensor], needed: Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
    """The tensors under the names that most of the network's names agree with."""
    variants = list(without_prefixes(tensors))
    taken_off, best = max(variants, key=lambda variant: len(needed.keys() & variant[1].keys()))
    if not _has_all(best, needed):
        for part, within in parts(tensors):
            # Only a part that is the whole network is taken: the rest is left, and said to be.
            if _has_all(within, needed):
                left = sorted({name.partition(".")[0] for name in tensors if not name.startswith(part)})
                note = (
                    f"the network under {part!r} was taken; {len(tensors) - len(within)} other tensors were left: "
                    f"{', '.join(left[:_SHOWN])}"
                )
                return within, (note,)
    notes = (f"the prefix {taken_off!r} was taken off all names",) if taken_off else ()
    return best, notes


def _without_head(
    tensors: Mapping[str, Tensor], needed: Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
    """What features need of the weights of the whole network."""
    left = [name for name in tensors if name not in needed]
    if not left:
        return tensors, ()
    owners = ", ".join(dict.fromkeys(".".join(name.split(".")[:-1]) or name for name in left))
    shown = owners if len(owners) <= _LONGEST else f"{owners[:_LONGEST].rpartition(',')[0]}, ..."
    note = f"{len(left)} tensors that the features do not need were left: {shown}"
    return {name: tensor for name, tensor in tensors.items() if name in needed}, (note,)


def _has_all(tensors: Mapping[str, Tensor], needed: Mapping[str, Tensor]) -> bool:
    """Whether nothing is missing and nothing too much, by name."""
    return {name for name in needed if not is_counter(name)} <= tensors.keys() <= needed.keys()


def _fill(
    place: str, network: str, module: nn.Module, tensors: Mapping[str, Tensor], next_step: Callable[[], str]
) -> None:
    """Every tensor of the network is the file's; a step counter the file lacks stays at its start."""
    needed = module.state_dict()
    require_fit(place, network, needed, tensors, next_step)
    module.load_state_dict({**needed, **tensors}, strict=True)


def _about_norms(module: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """Norms that were folded away or never tracked, where they are why the tensors do not fit."""
    found = compare(module.state_dict(), tensors)
    return explain(found.missing, tensors, found.unexpected)


def _its_settings() -> str:
    return "The file contradicts itself: save it again from the network it was made of"


def _size_notes(asked: Blueprint, sized: Blueprint) -> tuple[str, ...]:
    notes = []
    if sized.num_classes != asked.num_classes:
        notes.append(f"{sized.num_classes} classes, as the file's tensors have, not {asked.num_classes}")
    if sized.input_size[0] != asked.input_size[0]:
        notes.append(f"{sized.input_size[0]} input channels, as the file's tensors have, not {asked.input_size[0]}")
    return tuple(notes)
