"""Finds the weights among what training scripts put into a file."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from condmix.models.errors import NotACheckpointError

_AVERAGED = ("state_dict_ema", "model_ema", "module_ema", "ema_state_dict", "ema_model", "ema", "params_ema", "shadow")
_TRAINED = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params")
ARCHITECTURE_KEYS = ("arch", "architecture", "model_name")
_PREFIXES = ("module.", "model.", "_orig_mod.", "_forward_module.", "net.", "network.")
"""Left by DataParallel and AveragedModel, by training frameworks, by torch.compile and by Fabric."""
_PARTS = ("ema_model.", "model_ema.", "ema.", "model.", "net.", "network.", "module.")
"""Networks within a larger module, such as a LightningModule that holds its loss, its metrics or a teacher as well."""
_AVERAGE_COUNTER = "n_averaged"
_SHOWN = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundWeights:
    """Weights as they stand in the file: tensors by name, and the whole module if there is one.

    `architecture` is the name that stands beside them. `notes` say which entry was chosen.
    """

    tensors: Mapping[str, Tensor]
    module: nn.Module | None
    architecture: str | None
    notes: tuple[str, ...]


def find(place: str, content: object, *, entry: str | None = None) -> FoundWeights:
    """The weights in what a file holds: a module, a state_dict, or a dict with one under a usual name.

    Averaged weights go before trained ones, as in timm; `entry` chooses another. Raises `NotACheckpointError`
    with what is there where no weights are.
    """
    if entry is None and isinstance(content, nn.Module):
        return _from_module(content, None, ())
    if not isinstance(content, Mapping):
        message = f"{place}: holds {_kind(content)}, expected a state_dict or a dict with one; {_ADVICE}"
        raise NotACheckpointError(message)
    content = _opened(content)
    if entry is None and _is_state_dict(content):
        return FoundWeights(tensors=_tensors(content), module=None, architecture=None, notes=())
    candidates = [name for name in (*_AVERAGED, *_TRAINED) if _holds_weights(content.get(name))]
    if entry is not None:
        if not _holds_weights(content.get(entry)):
            offer = f"entries with weights: {', '.join(candidates)}" if candidates else "no entry has weights"
            message = f"{place}: has no weights under {entry!r}; {offer}"
            raise NotACheckpointError(message)
        chosen = entry
    elif candidates:
        chosen = candidates[0]
    else:
        raise NotACheckpointError(_nothing_found(place, content))
    architecture = next((content[key] for key in ARCHITECTURE_KEYS if isinstance(content.get(key), str)), None)
    notes = _choice_notes(chosen, [name for name in candidates if name != chosen])
    weights = content[chosen]
    if isinstance(weights, nn.Module):
        return _from_module(weights, architecture, notes)
    return FoundWeights(tensors=_tensors(weights), module=None, architecture=architecture, notes=notes)


def without_prefixes(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The prefix taken off and the tensors without it: first none, then wrapper by wrapper.

    A prefix is one that all names share. The counter that AveragedModel adds is no hindrance and goes too.
    """
    taken_off = ""
    yield taken_off, tensors
    while True:
        rest = {name: tensor for name, tensor in tensors.items() if name != _AVERAGE_COUNTER}
        shared = [prefix for prefix in _PREFIXES if rest and all(name.startswith(prefix) for name in rest)]
        if not shared:
            return
        taken_off += shared[0]
        tensors = {name.removeprefix(shared[0]): tensor for name, tensor in rest.items()}
        yield taken_off, tensors


def parts(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The networks that may be within: a prefix that some names have, and the tensors under it without it."""
    for part in _PARTS:
        within = {name.removeprefix(part): tensor for name, tensor in tensors.items() if name.startswith(part)}
        if within and len(within) < len(tensors):
            for more, stripped in without_prefixes(within):
                yield part + more, stripped


def _opened(content: Mapping[Any, Any]) -> Mapping[Any, Any]:  # whatever a pickle held
    """A dict whose usual entries hold weights one level deeper (`ema: {shadow: ...}`) has them at once."""
    opened = dict(content)
    for name in (*_AVERAGED, *_TRAINED):
        inner = content.get(name)
        if isinstance(inner, Mapping) and not _holds_weights(inner):
            found = [key for key in (*_AVERAGED, *_TRAINED) if _holds_weights(inner.get(key))]
            if len(found) == 1:
                opened[name] = inner[found[0]]
    return opened


_ADVICE = "save the weights with torch.save(network.state_dict(), 'weights.pt') and give that file"


def _from_module(module: nn.Module, architecture: str | None, notes: tuple[str, ...]) -> FoundWeights:
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        module = module.module
    return FoundWeights(tensors=module.state_dict(), module=module, architecture=architecture, notes=notes)


def _holds_weights(value: object) -> bool:
    return isinstance(value, nn.Module) or (isinstance(value, Mapping) and _is_state_dict(value))


def _is_state_dict(content: Mapping[object, object]) -> bool:
    """Texts to tensors and nothing else: what modules add to their state beside them is refused."""
    return bool(content) and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())


def _tensors(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return dict(content.items())


def _choice_notes(chosen: str, others: list[str]) -> tuple[str, ...]:
    if not others:
        return (f"the weights were taken from the entry {chosen!r}",)
    kind = "the averaged weights" if chosen in _AVERAGED else "the weights"
    return (f"{kind} in the entry {chosen!r} were taken; also there: {', '.join(map(repr, others))}",)


def _kind(content: object) -> str:
    if isinstance(content, Tensor):
        return f"one tensor of shape {tuple(content.shape)}"
    return f"a {type(content).__name__}"


def _nothing_found(place: str, content: Mapping[object, object]) -> str:
    if not content:
        return f"{place}: holds an empty dict, expected a state_dict or a dict with one; {_ADVICE}"
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if any(isinstance(value, Tensor) for value in content.values()):
        listed = ", ".join(f"{name!r} ({_kind(content[name])})" for name in others[:_SHOWN])
        rest = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        return f"{place}: a state_dict holds tensors only; these entries are none: {listed}{rest}; {_ADVICE}"
    listed = ", ".join(f"{name!r} ({_kind(content[name])})" for name in others[:_SHOWN])
    rest = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    usual = ", ".join((*_TRAINED, *_AVERAGED))
    return (
        f"{place}: holds no weights that can be found: its entries are {listed}{rest}; "
        f"expected a state_dict under one of {usual}; {_ADVICE}"
    )
