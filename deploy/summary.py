"""The closing words of an export: records in, lines of text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from condmix.deploy.format_choices import TITLES
from condmix.deploy.metadata import condmix_version, size_text
from condmix.deploy.record import ExportOutcome, FileOutcome
from condmix.deploy.result_lines import output_lines
from condmix.deploy.sizes import file_size
from condmix.exporters.records import LayerKind, LayerRecord, RewriteStep
from condmix.exporters.tflite.options import TfliteOptions
from condmix.exporters.verify.records import Blame, StageParity, Verification
from condmix.exporters.verify.tflite import EXACT_STAGE, STAGE
from condmix.runtime.batch_report import BatchReport

OK, FAILED = "[ok]", "[failed]"
_LABEL_WIDTH = 9
_SHOWN = 3

Section = tuple[str, Sequence[str]]


def summarise(outcome: ExportOutcome, *, in_detail: bool = False) -> str:
    """What was made, what it is, what was proven, and what to do next; each section under its label.

    In detail, every layer's reason and every rewrite that was declined are told too.
    """
    network = outcome.network
    found = _plural_layers(outcome.files[0].layers)
    size = size_text(network.input_size, outcome.plan.batch)
    onnx = outcome.plan.choices.onnx
    if onnx is not None and onnx.dynamic_size:
        size = f"{size} and other sizes"
    head = f"condmix {condmix_version()}  {network.architecture}  {size}  {found}"
    warnings = dict.fromkeys(line for file in outcome.files for line in file.verification.warnings)
    sections: tuple[Section, ...] = (
        *(section for file in outcome.files for section in _file_sections(file, in_detail=in_detail)),
        ("outputs", output_lines(outcome.files[0].artifact, network.output_kinds)),
        ("tuning", [] if outcome.tuned is None else outcome.tuned.lines()),
        ("warning", tuple(warnings)),
        ("note", (*outcome.notes, *dict.fromkeys(line for file in outcome.files for line in file.verification.notes))),
        ("record", [str(outcome.record_path)]),
        ("images", [] if outcome.reference is None else [outcome.reference.sentence()]),
        ("time", [time_line(outcome.seconds, outcome.peak_memory_bytes)]),
        ("next", _next_lines(outcome)),
    )
    return "\n".join([head, *laid_out(sections)])


def failure_text(outcome: ExportOutcome) -> str:
    """Of every rejected file: stage, worst element, limit, the first module beyond it, and where the file lies."""
    lines = []
    for file in outcome.files:
        path, wanted = file.artifact.path, outcome.plan.output.models[str(file.artifact.format)]
        if file.passed:
            lines.append(f"{path} has passed and was written.")
            continue
        verification = file.verification
        reasons = [
            *(
                f"{_stage_name(item)}: {item.report.sentence()}"
                for item in verification.stages
                if not item.report.passed
            ),
            *(() if verification.rounded is None else verification.rounded.problems()),
            *_batch_failure(verification.batches),
            *_size_failure(verification),
            *_blame_lines(verification.blame),
            *(() if file.suppression is None or file.suppression.passed else (file.suppression.sentence(),)),
        ]
        lines += [
            f"the {TITLES[str(file.artifact.format)]} file does not compute what {outcome.network.yardstick} computes:",
            *(f"  - {reason}" for reason in reasons),
            f"It was written as {path}, for finding out why; {wanted} was not touched.",
        ]
    return "\n".join(lines)


def layer_lines(layers: Sequence[LayerRecord]) -> list[str]:
    """One line a kind with its forms and counts, then what was left alone and why."""
    if not layers:
        return ["no CondConv and no MixConv was found: exported as an ordinary network"]
    lines = []
    for kind in LayerKind:
        forms = Counter(form_of(layer) for layer in layers if layer.kind is kind and layer.recognised)
        if forms:
            lines.append(f"{kind.value}  " + " | ".join(f"{form} x{count}" for form, count in forms.items()))
    declined = [layer for layer in layers if not layer.recognised]
    lines.extend(f"left alone: {layer.path} ({layer.kind.value}): {layer.why}" for layer in declined[:_SHOWN])
    if len(declined) > _SHOWN:
        lines.append(f"left alone: {len(declined) - _SHOWN} more, each with its reason in the record")
    return lines


def form_of(layer: LayerRecord) -> str:
    """The form in a word; a layer without one was taken in by a rewrite, or the export stopped before."""
    if not layer.recognised:
        return "left alone"
    return layer.form or "named only"


def parity_lines(verification: Verification) -> list[str]:
    """The file against PyTorch in float64 in every way it was run, the stages before it, and the batches."""
    failed = next((item for item in verification.stages if not item.report.passed), None)
    last = verification.stages[-1].stage if failed is None else failed.stage
    finals = [item for item in verification.stages if item.stage == last]
    who = verification.yardstick
    lines = [_parity_line(items, who) for items in _by_delegate(finals)]
    lines += [_parity_line([item], who) for item in verification.stages if item.stage == EXACT_STAGE != last]
    earlier = [item for item in verification.stages if item.stage not in (last, EXACT_STAGE)]
    images = verification.images
    if earlier and all(item.report.passed for item in earlier):
        names = ", ".join(dict.fromkeys(item.stage for item in earlier))
        lines.append(f"{OK} every stage before: {names}")
    threads = sorted({item.threads for item in finals})
    spread = images.routing.smallest
    moved = "" if spread is None else f", which move the routing of every block by {spread:.1e} or more"
    lines.append(f"     on {images.count} images{moved}; threads {', '.join(map(str, threads))}")
    lines += _rounded_lines(verification)
    if verification.batches is not None:
        lines.append(f"{_mark(verification.batches.passed)} batches: {verification.batches.sentence()}")
    if verification.sizes is not None:
        lines.append(f"{_mark(verification.sizes.passed)} sizes: {verification.sizes.sentence()}")
    lines.extend(f"     {line}" for line in _blame_lines(verification.blame))
    return lines


def _rounded_lines(verification: Verification) -> list[str]:
    """What speaks for a file with int8 banks, or against it."""
    rounded = verification.rounded
    if rounded is None:
        return []
    worst = max(rounded.meaning, key=lambda check: check.worst_steps)
    meant = all(check.passed for check in rounded.meaning)
    lines = [
        f"{_mark(not rounded.stored)} int8 banks are those of this file rounded, number for number",
        f"{_mark(meant)} with them it computes what it says: {worst.sentence()}; "
        f"{len(rounded.meaning)} ways of running",
    ]
    for item in rounded.agreement:
        agrees = item.sqnr_db_median >= rounded.limits.least_sqnr_db and not item.nonfinite_count
        which = f"{item.name}: " if len(rounded.agreement) > 1 else ""
        lines.append(f"{_mark(agrees)} and agrees with {verification.yardstick}: {which}{item.sentence()}")
    return lines


def _file_sections(file: FileOutcome, *, in_detail: bool) -> tuple[Section, ...]:
    coverage = file.verification.coverage
    return (
        ("layers", layer_lines(file.layers)),
        ("why", [f"{layer.path}: {form_of(layer)}: {layer.why}" for layer in file.layers if in_detail and layer.why]),
        ("rewrite", _rewrite_lines(file.steps)),
        (
            "declined",
            [f"{step.rule} at {step.path}: {step.note}" for step in file.steps if in_detail and not step.applied],
        ),
        (str(file.artifact.format), _file_lines(file)),
        ("parity", [*parity_lines(file.verification), *_suppression_lines(file)]),
        ("delegate", [] if coverage is None else [coverage.sentence()]),
        ("older", [] if file.second_runtime is None else [file.second_runtime.sentence()]),
    )


def _suppression_lines(file: FileOutcome) -> list[str]:
    proof = file.suppression
    return [] if proof is None else [f"{_mark(proof.passed)} {proof.sentence()}"]


def _by_delegate(finals: Sequence[StageParity]) -> list[list[StageParity]]:
    """The runs of one stage, those that differ only by the number of threads together."""
    ways = dict.fromkeys(item.delegate for item in finals)
    return [[item for item in finals if item.delegate is way] for way in ways]


def _parity_line(items: Sequence[StageParity], who: str) -> str:
    """The worst of some runs; which it was is in the record."""
    worst = max(items, key=_badness)
    return (
        f"{_mark(worst.report.passed)} {_way(worst)} vs {who} float64  "
        f"{worst.report.sentence()}{_own_error(worst, who)}"
    )


def _badness(item: StageParity) -> tuple[bool, int, float]:
    worst = item.report.worst_output
    return (not item.report.passed, *(worst.badness() if worst is not None else (0, 0.0)))


def _way(item: StageParity) -> str:
    if item.stage == EXACT_STAGE:
        return "the same with unrounded weights"
    if item.delegate is None:
        return item.stage
    return "delegate on" if item.delegate else "builtin kernels only"


def _stage_name(item: StageParity) -> str:
    if item.delegate is None:
        return f"stage {item.stage}"
    return f"stage {STAGE}, {_way(item)}, {item.threads} thread{'' if item.threads == 1 else 's'}"


def _own_error(item: StageParity, who: str) -> str:
    worst = item.report.worst_output
    if worst is None or worst.own_float32 is None:
        return ""
    return f"  ({who}'s own float32: {worst.own_float32.relative:.1e})"


def _batch_failure(batches: BatchReport | None) -> list[str]:
    return [] if batches is None or batches.passed else [f"batches: {batches.sentence()}"]


def _size_failure(verification: Verification) -> list[str]:
    sizes = verification.sizes
    return [] if sizes is None or sizes.passed else [f"sizes: {sizes.sentence()}"]


def _blame_lines(blame: Blame | None) -> list[str]:
    if blame is None:
        return []
    place = blame.module_path or "the network's own forward"
    return [f"first module beyond tolerance: {place} (stage {blame.stage}): {blame.report.sentence()}"]


def _rewrite_lines(steps: Iterable[RewriteStep]) -> list[str]:
    counts = Counter(step.rule for step in steps if step.applied)
    return [" | ".join(f"{rule} x{count}" for rule, count in counts.items()) or "nothing to rewrite"]


def _file_lines(file: FileOutcome) -> list[str]:
    artifact = file.artifact
    rejected = "" if file.passed else f"  {FAILED} rejected"
    kind = f"opset {file.opset}" if file.opset is not None else _weights_text(file)
    facts = f"{file_size(artifact.size_bytes)}  {kind}  input {file.layout}  sha256 {artifact.sha256[:12]}"
    return [f"{artifact.path}  {facts}{rejected}"]


def _weights_text(file: FileOutcome) -> str:
    options = file.options
    assert isinstance(options, TfliteOptions)
    experts = "" if options.bank == options.precision else f", experts {options.bank}"
    return f"weights {options.precision}{experts}"


def time_line(seconds: Mapping[str, float], peak_memory_bytes: int | None) -> str:
    """All seconds, the slowest stages, and the most memory held."""
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:_SHOWN]
    stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in slowest)
    peak = "" if peak_memory_bytes is None else f"; peak memory {file_size(peak_memory_bytes)}"
    return f"{sum(seconds.values()):.1f} s ({stages}){peak}"


def _next_lines(outcome: ExportOutcome) -> list[str]:
    lines = [f"condmix inspect {file.artifact.path}" for file in outcome.files]
    return [*lines, "view the graph: https://netron.app"] if outcome.passed else lines


def _plural_layers(layers: Sequence[LayerRecord]) -> str:
    counts = Counter(layer.kind for layer in layers if layer.recognised)
    words = [f"{counts[kind]} {kind.value}" for kind in LayerKind if counts[kind]]
    found = sum(counts.values())
    return f"{' + '.join(words)} layer{'' if found == 1 else 's'}" if words else "nothing to rewrite"


def _mark(passed: bool) -> str:
    return OK if passed else FAILED


def laid_out(sections: Iterable[Section]) -> Iterator[str]:
    """Each section under its label; empty ones are left out."""
    for label, lines in sections:
        for index, line in enumerate(lines):
            yield f" {label if index == 0 else '':<{_LABEL_WIDTH}}{line}"
