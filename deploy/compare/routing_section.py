"""The section `routing` of a report: histograms for our files, for others why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from condmix.deploy.neighbour_record import Entry, record_of
from condmix.runtime.bench.identity import engine_of
from condmix.runtime.bench.reference import Reference, find_reference, read_reference
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.routing import RoutingHistograms, routing_histograms, unknown_routing
from condmix.runtime.errors import InferenceError, one_line
from condmix.runtime.signature import Tensor


def routing_section(
    report: BenchReport,
    images: Mapping[str, Mapping[str, Tensor]] | None = None,
    images_are: str = "the images given",
) -> Mapping[str, object]:
    """Subject -> its histograms, on `images` (subject -> input -> [N, ...]) or those of the reference beside its file.

    Each file is looked into once, however many subjects run it; the baseline's second measurement is left out.
    """
    section: dict[str, object] = {}
    known: dict[Path, RoutingHistograms] = {}
    for record in report.subjects:
        if record.name == report.control or record.failure is not None:
            continue
        file = record.subject.file
        if file not in known:
            known[file] = routing_of_file(file, record.sha256, (images or {}).get(record.name), images_are)
        section[record.name] = known[file].to_dict()
    return section


def routing_of_file(
    file: Path, sha256: str, images: Mapping[str, Tensor] | None, images_are: str = "the images given"
) -> RoutingHistograms:
    """The histograms of one file; without images those of the reference beside it are taken. Whatever stands in the way
    is said in place of them."""
    entry, notes = record_of(file, sha256)
    if entry is None:
        return unknown_routing("; ".join(notes))
    values = routing_values(entry)
    if not values:
        return unknown_routing("the network has no CondConv")
    source = images_are
    if images is None:
        path = find_reference(file)
        if path is None:
            return unknown_routing(f"there are no images beside {file.name} to run it on")
        try:
            reference: Reference = read_reference(path)
        except InferenceError as error:
            return unknown_routing(one_line(error))
        images, source = reference.inputs, f"{reference.images} images of {path.name}"
    try:
        return routing_histograms(file, images, values, engine=engine_of(file), source=source)
    except InferenceError as error:
        return unknown_routing(one_line(error))


def routing_values(entry: Entry) -> tuple[str, ...]:
    """The names of the values that hold routing, from the record of a float or of an int8 file."""
    found: dict[str, None] = {}
    for layer in _mappings(entry.get("layers")):
        details = layer.get("details")
        if isinstance(details, Mapping) and isinstance(details.get("routing"), str):
            found[details["routing"]] = None
    for item in _mappings(entry.get("routing_drift")):
        if isinstance(item.get("block"), str):
            found[str(item["block"])] = None
    return tuple(found)


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
