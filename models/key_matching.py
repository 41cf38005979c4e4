"""Holds the tensors of a file against those a network needs, and says all that differs at once."""

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from condmix.models.errors import KeyMismatchError

_SHOWN = 8
_COUNTER = "num_batches_tracked"
"""Batch norm's count of training steps: no part of the function, absent from old files."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyComparison:
    """Names in order: needed and not in the file; in the file and not needed; in both but not alike."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether every tensor has its place."""
        return not (self.missing or self.unexpected or self.misshapen)


def compare(needed: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> KeyComparison:
    """Every difference between the tensors a network needs and those of a file.

    Alike means the same shape and both fractional or both whole numbers; precision is no difference. A step
    counter of batch norm may be missing, or have become fractional when all tensors were halved.
    """
    return KeyComparison(
        missing=tuple(name for name in needed if name not in found and not is_counter(name)),
        unexpected=tuple(name for name in found if name not in needed),
        misshapen=tuple(
            name
            for name, tensor in needed.items()
            if name in found and not _alike(tensor, found[name], any_kind=is_counter(name))
        ),
    )


def is_counter(name: str) -> bool:
    """Whether the tensor only counts training steps."""
    return name.rpartition(".")[2] == _COUNTER


def require_fit(
    place: str,
    network: str,
    needed: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    next_step: Callable[[], str],
) -> None:
    """Nothing happens if all tensors fit; else `KeyMismatchError` with totals, names, nearest names.

    `next_step` is asked for its sentence only then: finding it may take seconds.
    """
    result = compare(needed, found)
    if result.fits:
        return
    parts = [
        f"{place}: the tensors do not fit {network}: of the {len(needed)} it needs {len(result.missing)} "
        f"are missing and {len(result.misshapen)} have another shape or type; {len(result.unexpected)} of "
        f"the file's {len(found)} have no place in it"
    ]
    parts += _listed("missing", result.missing, lambda name: _near(name, result.unexpected, "in the file"))
    parts += _listed(
        "another shape or type",
        result.misshapen,
        lambda name: f": the network has {_form(needed[name])}, the file {_form(found[name])}",
    )
    parts += _listed("without a place", result.unexpected, lambda name: _near(name, result.missing, "needed"))
    parts.append(f"Nothing was loaded. {next_step()}")
    raise KeyMismatchError(
        "\n".join(parts),
        missing=result.missing,
        unexpected=result.unexpected,
        misshapen=result.misshapen,
    )


def _listed(title: str, names: Sequence[str], explain: Callable[[str], str]) -> list[str]:
    """One line a name, the first few only: the totals stand above."""
    if not names:
        return []
    lines = [f"  {title}:", *(f"    {name}{explain(name)}" for name in names[:_SHOWN])]
    if len(names) > _SHOWN:
        lines.append(f"    and {len(names) - _SHOWN} more")
    return lines


def _near(name: str, others: Sequence[str], where: str) -> str:
    near = difflib.get_close_matches(name, others, n=1)
    return f" (nearest {where}: {near[0]})" if near else ""


def _alike(one: Tensor, other: Tensor, *, any_kind: bool) -> bool:
    """Whether shapes agree and, but for a counter that was halved with the weights, the kind of number."""
    return one.shape == other.shape and (any_kind or one.is_floating_point() == other.is_floating_point())


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
