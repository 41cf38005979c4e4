"""The pipeline from a module to a file's content, stage by stage. Read it top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir

from condmix.exporters.batch.generalise import generalise
from condmix.exporters.batch.in_turn import in_turn
from condmix.exporters.captured import Captured, Tap
from condmix.exporters.finish import finish
from condmix.exporters.lower.batch_axis import BatchAxis
from condmix.exporters.lower.driver import lower
from condmix.exporters.lower.keep_layout import has_mixconv, keep_layout
from condmix.exporters.options import ExportOptions
from condmix.exporters.recognise import recognise
from condmix.exporters.records import LayerForm, LayerRecord, RewriteStep, with_forms
from condmix.exporters.rewrite import DEFAULT_RULES, TIDY_RULES
from condmix.exporters.rewrite.driver import run_rules
from condmix.exporters.tune.form_table import built_in, table_forms, target_of
from condmix.runtime.cpu import read_cpu_facts

if TYPE_CHECKING:
    from torch import nn

ReportProgress = Callable[[str], None]
"""Called with the name of each stage as it starts."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage's graph as a valid ONNX file's content."""

    name: str
    proto: onnx.ModelProto


@dataclass(frozen=True, kw_only=True)
class Build:
    """Everything an export made, before anything is verified or written."""

    stages: tuple[Stage, ...]
    """In order; the last one is what goes into the file."""
    layers: tuple[LayerRecord, ...]
    steps: tuple[RewriteStep, ...]
    taps: tuple[Tap, ...]
    routing_values: tuple[str, ...] = field(default=())
    """The values that hold the routing of each CondConv, in the captured graph."""
    output_kinds: Mapping[str, str] = field(default_factory=dict)
    """What each output is, by name."""

    @property
    def final(self) -> Stage:
        return self.stages[-1]


def build(
    module: nn.Module,
    input_size: tuple[int, int, int],
    options: ExportOptions,
    metadata: Mapping[str, str],
    report_progress: ReportProgress,
) -> Build:
    """Return the graphs of every stage up to `options.stage`, and the record of what was done.

    Raises CaptureError, NotExportableError (all places at once) or GraphError.
    """
    from condmix.exporters.capture import capture

    report_progress("capture")
    return build_from(capture(module, input_size), options, metadata, report_progress)


def build_from(
    captured: Captured, options: ExportOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> Build:
    """The same from a captured graph, which is left as it was: one capture serves several exports."""
    return build_prepared(prepare(captured, options, metadata, report_progress), options, metadata, report_progress)


def build_prepared(
    prepared: Prepared, options: ExportOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> Build:
    """The same from a prepared graph, which is left as it was: one preparation serves several files."""
    if not options.reaches("final"):
        return prepared.built
    if options.in_turn:
        one = build_prepared(prepared, replace(options, in_turn=False, batch=1), metadata, report_progress)
        turned = replace(one.final, proto=in_turn(one.final.proto, BatchAxis(size=options.batch)))
        return replace(one, stages=(*one.stages[:-1], turned))
    if options.is_for_one_machine:
        # Only such a file needs the runtime while it is built.
        from condmix.exporters.machine.build import build_blocked

        return build_blocked(prepared, options, metadata, report_progress)
    report_progress("lower")
    model = prepared.model.clone()
    batch = BatchAxis(size=options.batch)
    generalise(model, batch)
    mixed = has_mixconv(model.graph)
    forms = _forms(model, options)
    lowered = lower(model, batch, condconv=options.condconv, mixconv=options.mixconv, forms=forms)
    built = prepared.built
    steps = (*built.steps, *(keep_layout(model) if mixed else ()))
    if batch.is_one:
        steps = (*steps, *run_rules(model, TIDY_RULES))
    return replace(
        built,
        stages=(*built.stages, _stage("final", model, options, metadata)),
        layers=with_forms(built.layers, lowered, steps),
        steps=steps,
    )


def _forms(model: ir.Model, options: ExportOptions) -> tuple[LayerForm, ...]:
    """Those asked for; where nothing was, those that the table knows for this kind of machine."""
    free = (options.condconv, options.mixconv, options.batch) == ("auto", "auto", 1)
    if options.forms or not free or options.dynamic_size:
        return options.forms
    facts = read_cpu_facts()
    return table_forms(model, target_of(facts.architecture, facts.features), built_in())


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A graph with named, rewritten layers, ready to be lowered for a target; and what was done so far."""

    model: ir.Model
    built: Build


def prepare(
    captured: Captured, options: ExportOptions, metadata: Mapping[str, str], report_progress: ReportProgress
) -> Prepared:
    """The stages that all targets share: captured, named, rewritten; as far as `options.stage` goes."""
    model = captured.model.clone()
    stages = [_stage("captured", model, options, metadata)]
    steps: list[RewriteStep] = []
    layers: tuple[LayerRecord, ...] = ()
    routing_values: tuple[str, ...] = ()
    if options.reaches("named"):
        report_progress("recognise")
        steps.extend(run_rules(model, TIDY_RULES))
        found = recognise(model)
        layers, routing_values = found.layers, found.routing_values
        stages.append(_stage("named", model, options, metadata))
    if options.reaches("rewritten"):
        report_progress("rewrite")
        steps.extend(run_rules(model, DEFAULT_RULES))
        stages.append(_stage("rewritten", model, options, metadata))
    built = Build(
        stages=tuple(stages),
        layers=layers,
        steps=tuple(steps),
        taps=captured.taps,
        routing_values=routing_values,
        output_kinds=captured.output_kinds,
    )
    return Prepared(model=model, built=built)


def with_stage(prepared: Prepared, name: str, metadata: Mapping[str, str]) -> Prepared:
    """The same with its graph, as it stands, as one more stage, so that it is proven like the others."""
    stage = _stage(name, prepared.model, ExportOptions(stage="rewritten"), metadata)
    return replace(prepared, built=replace(prepared.built, stages=(*prepared.built.stages, stage)))


def _stage(name: str, model: ir.Model, options: ExportOptions, metadata: Mapping[str, str]) -> Stage:
    """A finished copy of the graph as it stands; the graph itself goes on."""
    last = name == options.stage
    opset = options.opset if last else model.opset_imports[""]
    return Stage(name=name, proto=finish(model.clone(), opset, {**metadata, "condmix_stage": name}, check=last))
