"""Forms that were measured before, by the kind of CPU: what an untuned export takes instead of the written rule.

The data is `measured_forms.json`, made from the records of tuned exports by `python -m condmix.deploy.tune.table`; it
holds nothing that was not measured. A block is known by what it computes, in words (`describe`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import onnx_ir as ir

from condmix.exporters.errors import TuningDataError
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.records import LayerForm
from condmix.exporters.tune.candidates import choices_of, describe
from condmix.exporters.tune.sites import Site, find_sites
from condmix.runtime.errors import InvalidRecordError
from condmix.runtime.records import read_fields

SCHEMA_VERSION = 1
KIND = "condmix-form-table"
FILE = Path(__file__).with_name("measured_forms.json")
_ONE_IMAGE = BatchAxis(size=1)
_CLASSES = (("avx512", "AVX-512F"), ("avx2", "AVX2"))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One kind of block on one kind of CPU, for one image and one thread.

    target: see `target_of`. block: in words. forms: of its layers, in order. over: the written rule's, which took 1.
    ratio: of the forms to those; low, high hold it with 95 %. noise_floor: of that run.
    """

    target: str
    block: str
    forms: tuple[str, ...]
    over: tuple[str, ...]
    ratio: float
    low: float
    high: float
    noise_floor: float
    runtime: str
    machine: str

    def words(self) -> str:
        """For a record."""
        shown = f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f}) of `{' + '.join(self.over)}`"
        return f"by the table of measurements: its block took {shown} on {self.machine}, {self.target}, {self.runtime}"


def target_of(architecture: str, features: Collection[str]) -> str:
    """The kind of CPU: architecture and the widest vectors that decide a layout, `x86_64 avx512`; alone where none."""
    widest = next((name for name, feature in _CLASSES if feature in features), None)
    return architecture if widest is None else f"{architecture} {widest}"


def table_forms(model: ir.Model, target: str, entries: Sequence[Entry]) -> tuple[LayerForm, ...]:
    """The forms of those layers of a rewritten graph that the table knows; the others follow the written rule.

    An entry counts only where the written rule would still take what it was measured against.
    """
    known = {entry.block: entry for entry in entries if entry.target == target}
    forms: list[LayerForm] = []
    for site in find_sites(model.graph) if known else ():
        entry = known.get(block_words(site))
        if entry is None or len(entry.forms) != len(site.layers):
            continue
        choices = choices_of(site, _ONE_IMAGE)
        possible = {candidate.forms for candidate in choices.candidates}
        if choices.table.forms == entry.over and entry.forms in possible:
            forms += [
                LayerForm(layer=layer, form=form, why=entry.words())
                for layer, form in zip(site.layers, entry.forms, strict=True)
            ]
    return tuple(forms)


def block_words(site: Site) -> str:
    """What the block computes."""
    return describe(site.nodes[-1])


@cache
def built_in() -> tuple[Entry, ...]:
    """The table that comes with this version. Raises TuningDataError when it was damaged."""
    return read_table(FILE.read_bytes(), FILE.name)


def read_table(content: bytes, place: str) -> tuple[Entry, ...]:
    """The entries. place: how errors name it. Raises TuningDataError."""
    try:
        data = json.loads(content)
        if not isinstance(data, Mapping) or data.get("kind") != KIND or data.get("schema_version") != SCHEMA_VERSION:
            message = f"{place}: it is not a table of forms of this version"
            raise TuningDataError(message)
        return tuple(_entry(entry) for entry in data["entries"])
    except (ValueError, KeyError, TypeError, RecursionError, InvalidRecordError) as error:
        message = f"{place}: cannot be read: {' '.join(str(error).split())}"
        raise TuningDataError(message) from error


def written_table(entries: Sequence[Entry]) -> bytes:
    """As it lies on the disk, in the order of target and block."""
    ordered = sorted(entries, key=lambda entry: (entry.target, entry.block))
    data = {"schema_version": SCHEMA_VERSION, "kind": KIND, "entries": [asdict(entry) for entry in ordered]}
    return (json.dumps(data, indent=2) + "\n").encode()


def _entry(data: object) -> Entry:
    words, numbers, lists = ("target", "block", "runtime", "machine"), ("ratio", "low", "high", "noise_floor"), list
    wanted: dict[str, type | tuple[type, ...]] = {
        **dict.fromkeys(words, str),
        **dict.fromkeys(numbers, float),
        **dict.fromkeys(("forms", "over"), lists),
    }
    values = read_fields(data, record="entry", fields=wanted, schema_version=None)
    return Entry(**{**values, "forms": tuple(values["forms"]), "over": tuple(values["over"])})  # type: ignore[arg-type]
