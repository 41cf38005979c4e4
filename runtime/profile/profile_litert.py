"""The profile of a TFLite file: LiteRT's own down to the delegate's operators, else by prefixes of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from condmix.runtime.audit.example_inputs import example_inputs
from condmix.runtime.audit.tflite_file import TfliteFile, read_tflite
from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.delegate_coverage import coverage
from condmix.runtime.litert_session import ENGINE, LiteRtBackend, LiteRtSession
from condmix.runtime.profile import notes
from condmix.runtime.profile.litert_events import (
    EngineEvents,
    NoEngineProfileError,
    check_fine_enough,
    engine_events,
)
from condmix.runtime.profile.litert_times import Assigned, assigned
from condmix.runtime.profile.module_propagation import with_modules
from condmix.runtime.profile.prefix_timing import SegmentTime, time_segments
from condmix.runtime.profile.records import Method, ModuleTime, Profile, Roof
from condmix.runtime.profile.step import Family, Step, StepGraph
from condmix.runtime.profile.tflite_steps import tflite_steps
from condmix.runtime.profile.totals import module_times, operator_times, peak_of, special_times, time_of
from condmix.runtime.profile.unprofiled import unprofiled_us
from condmix.runtime.signature import Signature, Tensor, TensorSpec


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """One file in use, and what it was opened with."""

    path: Path
    content: bytes
    file: TfliteFile
    session: LiteRtSession
    threads: int
    runs: int
    constructs: Mapping[str, str]
    roof: Roof

    def graph(self, times_us: Mapping[int, float]) -> tuple[StepGraph, int]:
        """The steps, by the names of the file alone, and the number of uncounted operators."""
        names = [node.operator for node in self.session.nodes() if not node.is_delegate]
        return tflite_steps(self.file, names, times_us)


def profile_litert(path: Path, *, threads: int, runs: int, constructs: Mapping[str, str], roof: Roof) -> Profile:
    """Where the time goes. When this LiteRT tells no times, the notes say why and modules are timed by prefixes.

    Raises EngineMissingError, ModelUnreadableError, InvalidSettingError, SessionFailedError.
    """
    session = LiteRtBackend().open(path, threads=threads)
    content = path.read_bytes()
    opened = _Opened(
        path=path,
        content=content,
        file=read_tflite(content),
        session=session,
        threads=threads,
        runs=runs,
        constructs=constructs,
        roof=roof,
    )
    plain_us = unprofiled_us(session, example_inputs(session.signature, {}), threads=threads, runs=runs)
    try:
        events = engine_events(path, _inputs_in_order(opened.file), threads=threads, runs=runs)
        found = assigned(events, session.nodes())
        check_fine_enough(events, plain_us)
    except NoEngineProfileError as error:
        return _by_prefixes(opened, why=str(error))
    return _by_engine(opened, events, found, plain_us)


def _by_engine(opened: _Opened, events: EngineEvents, found: Assigned, plain_us: float) -> Profile:
    graph, uncounted = opened.graph(found.times_us)
    steps = with_modules(graph.steps)
    told, final = (StepGraph(steps=(*own, *_without_place(found)), shapes=graph.shapes) for own in (graph.steps, steps))
    total_us = time_of(final.steps)
    return Profile(
        engine=ENGINE,
        method=Method.ENGINE,
        runs=opened.runs,
        threads=opened.threads,
        total_us=total_us,
        operators=operator_times(final.steps),
        modules=module_times(final, opened.roof, opened.constructs),
        special=special_times(final),
        delegate_coverage=coverage(opened.session).to_dict(),
        peak=peak_of(final.steps, opened.roof),
        roof=opened.roof,
        notes=(
            notes.sum_of_faster_halves(events.count),
            notes.against_unprofiled(total_us, plain_us, opened.threads),
            notes.alignment(found.paired, found.unpaired, found.prepared),
            *notes.attribution(told.steps, final.steps, by_module=True),
            *notes.uncounted(uncounted),
            *notes.ROOFLINE,
        ),
    )


def _without_place(found: Assigned) -> list[Step]:
    """What the delegate ran that no operator of the file could be given."""
    return [
        Step(
            operator=f"XNNPACK {name}",
            module=None,
            family=Family.OTHER,
            arithmetic=Arithmetic.OTHER,
            inputs=(),
            outputs=(),
            kernel=None,
            time_us=time_us,
            multiply_adds=0,
            size_bytes=0,
        )
        for name, time_us in found.without_place
    ]


def _by_prefixes(opened: _Opened, *, why: str) -> Profile:
    graph, uncounted = opened.graph({})
    final = StepGraph(steps=with_modules(graph.steps), shapes=graph.shapes)
    times, rounds = time_segments(opened.content, final.steps, opened.session, threads=opened.threads, runs=opened.runs)
    total_us = sum(one.time_us for one in times)
    modules = _segment_modules(opened, final, times)
    shown_us = sum(one.time_us for one in modules)
    return Profile(
        engine=ENGINE,
        method=Method.PREFIXES,
        runs=rounds,
        threads=opened.threads,
        total_us=total_us,
        operators=(),
        modules=modules,
        special={},
        delegate_coverage=coverage(opened.session).to_dict(),
        peak=peak_of(final.steps, opened.roof),
        roof=opened.roof,
        notes=(
            f"the engine told no times ({why}): modules are timed by models cut at their ends",
            *notes.prefixes(total_us, shown_us, [one.module for one in times if one.below_noise]),
            *notes.uncounted(uncounted),
            *notes.ROOFLINE,
        ),
    )


def _segment_modules(opened: _Opened, graph: StepGraph, times: tuple[SegmentTime, ...]) -> tuple[ModuleTime, ...]:
    """The segments as modules: work and bytes are those of their steps, a time below the noise is 0."""
    names: list[str] = []
    for one in times:
        names += [one.module] * (one.end - len(names))
    renamed = [replace(step, module=name, time_us=0.0) for step, name in zip(graph.steps, names, strict=True)]
    counted = module_times(StepGraph(steps=tuple(renamed), shapes=graph.shapes), opened.roof, opened.constructs)
    spent: dict[str, float] = {}
    for one in times:
        spent[one.module] = spent.get(one.module, 0.0) + (0.0 if one.below_noise else one.time_us)
    return tuple(replace(module, time_us=spent[module.module]) for module in counted)


def _inputs_in_order(file: TfliteFile) -> list[Tensor]:
    """An array for each input, in the order of the file, the same at every call."""
    specs = [
        TensorSpec(name=str(number), shape=file.tensors[number].shape, dtype=file.tensors[number].dtype)
        for number in file.inputs
    ]
    return list(example_inputs(Signature(inputs=tuple(specs), outputs=tuple(specs)), {}).values())
