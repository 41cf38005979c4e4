"""One comparison from a request to a table: files are built, measured in one interleaved run, and judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.deploy.calibration_images import CalibrationImages, open_calibration_images
from condmix.deploy.compare.accuracy import labelled_images, top1_of
from condmix.deploy.compare.common_reference import common_reference
from condmix.deploy.compare.opened import open_network
from condmix.deploy.compare.request import CompareRequest
from condmix.deploy.compare.routing_section import routing_section
from condmix.deploy.compare.table import rows_of
from condmix.deploy.compare.variants import (
    OURS,
    OURS_BANKS,
    OURS_INT8,
    STOCK,
    STOCK_INT8,
    Built,
    Missing,
    Variant,
    build_variants,
)
from condmix.deploy.compare.write import Comparison
from condmix.deploy.errors import ImagesError
from condmix.deploy.format_choices import FORMATS, TITLES
from condmix.deploy.measure.plan import BenchRequest, make_plan
from condmix.deploy.measure.profiles import Profiles
from condmix.deploy.measure.sections import ALWAYS, with_sections
from condmix.deploy.measure.subject_names import subject_name
from condmix.models.network import LoadedNetwork
from condmix.runtime.bench.identity import engine_of
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import Progress, run_bench
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject

if TYPE_CHECKING:
    from condmix.runtime.bench.reference import Reference

Say = Callable[[str], None]
ORDER = (
    STOCK,
    *(f"{title} {TITLES[one]}" for title in (OURS, OURS_BANKS) for one in FORMATS),
    STOCK_INT8,
    *(f"{OURS_INT8} {TITLES[one]}" for one in FORMATS),
)
"""Of the rows; the first that is there is what others are compared with."""


def compare_network(
    request: CompareRequest,
    settings: BenchSettings,
    threads: Sequence[int],
    *,
    say: Say,
    report_progress: Callable[[Progress], None],
) -> Comparison:
    """Every file of one network in one table; the files lie in the request's folder, which is there.

    Raises what is wrong with weights or images before anything is built, and the first error when nothing could be.
    """
    say("load")
    opened = open_network(request.loading)
    labelled = _images(request, opened.network)
    built = build_variants(request, opened, say)
    variants = sorted(built.variants, key=lambda variant: ORDER.index(variant.name))
    subjects, variant_of = _subjects(variants, threads)
    reference = common_reference(
        built.references, {variant.name: variant.path.name for variant in variants if not variant.is_ours}
    )
    references: dict[str, Reference] = {} if reference is None else {one.name: reference for one in subjects}
    report = run_bench(
        subjects, settings, references=references, report_progress=report_progress, command=request.command_line
    )
    images = {} if reference is None else {one.name: reference.inputs for one in subjects}

    def accuracy(measured: BenchReport) -> Mapping[str, object]:
        return {} if labelled is None else _accuracy(measured, labelled, say)

    sections: dict[str, Callable[[BenchReport], object]] = {**ALWAYS, "accuracy": accuracy}
    shown_on = "" if reference is None else f"the {reference.images} images that were fed"
    sections["routing"] = lambda one: routing_section(one, images, shown_on)
    profiles = Profiles(say)
    if request.profile:
        sections["profile"] = profiles.make
    report = with_sections(report, sections, say)
    order = sorted(
        [*variant_of, *(one.name for one in built.missing)], key=lambda name: ORDER.index(variant_of.get(name, name))
    )
    foreign = frozenset(name for name, variant in variant_of.items() if variant in (STOCK, STOCK_INT8))
    return _comparison(report, built, order, foreign, profiles.notes)


def compare_files(
    files: Sequence[Path],
    settings: BenchSettings,
    threads: Sequence[int],
    *,
    command_line: Sequence[str],
    profile: bool = False,
    say: Say,
    report_progress: Callable[[Progress], None],
) -> Comparison:
    """Files of anybody in one table, in the order given. Raises as `make_plan`, with all problems at once."""
    say("look into the files")
    plan = make_plan(BenchRequest(files=tuple(files), threads=tuple(threads), seed=settings.seed))
    report = run_bench(
        plan.subjects,
        settings,
        references=plan.references,
        report_progress=report_progress,
        command=command_line,
    )
    sections: dict[str, Callable[[BenchReport], object]] = {**ALWAYS, "routing": routing_section}
    profiles = Profiles(say)
    if profile:
        sections["profile"] = profiles.make
    report = with_sections(report, sections, say)
    notes = (*plan.notes, *profiles.notes)
    return Comparison(rows=rows_of(report, (), plan.names), report=report, notes=notes)


def _images(request: CompareRequest, network: LoadedNetwork) -> CalibrationImages | None:
    """The labelled images, if any; all images are looked at before minutes are spent on building."""
    errors: list[ImagesError] = []
    labelled = None
    if request.calib is not None:
        try:
            open_calibration_images(request.calib, network, use_labels=False)
        except ImagesError as error:
            errors.append(error)
    if request.evaluate is not None:
        try:
            labelled = labelled_images(request.evaluate, network)
        except ImagesError as error:
            errors.append(error)
    if len(errors) > 1:
        both = "--calib and --evaluate"
        raise ImagesError(both, [str(error) for error in errors], purpose="a comparison")
    if errors:
        raise errors[0]
    return labelled


def _subjects(variants: Sequence[Variant], threads: Sequence[int]) -> tuple[tuple[BenchSubject, ...], dict[str, str]]:
    """Every file on every number of threads, and which variant each subject is."""
    subjects, variant_of = [], {}
    for count in threads:
        for variant in variants:
            name = subject_name(variant.name, threads=count if len(threads) > 1 else None, batch=None)
            variant_of[name] = variant.name
            subjects.append(BenchSubject(name=name, file=variant.path, engine=engine_of(variant.path), threads=count))
    return tuple(subjects), variant_of


def _accuracy(report: BenchReport, images: CalibrationImages, say: Say) -> Mapping[str, object]:
    """The section `accuracy`: of each file once, whatever number of threads runs it."""
    known: dict[Path, dict[str, object] | None] = {}
    section: dict[str, object] = {}
    for record in report.subjects:
        file = record.subject.file
        if record.name == report.control or record.failure is not None:
            continue
        if file not in known:
            known[file] = top1_of(file, images, say)
        found = known[file]
        if found is not None:
            section[record.name] = found
    return section


def _comparison(
    report: BenchReport, built: Built, order: Sequence[str], foreign: frozenset[str], notes: Sequence[str]
) -> Comparison:
    """The table, with what is not there kept in the report too."""
    missing: list[Missing] = built.missing
    rows = rows_of(report, missing, order)
    absences = (f"{one.name} is not measured: {one.reason}" for one in missing)
    if missing:
        absent = {one.name: {"reason": one.reason, "rejected": one.rejected} for one in missing}
        report = dataclasses.replace(report, sections={**report.sections, "missing": absent})
    rejected = tuple(one.name for one in missing if one.rejected)
    return Comparison(rows=rows, report=report, notes=(*absences, *notes), foreign=foreign, rejected=rejected)
