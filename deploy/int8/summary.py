"""The closing words of an int8 export: records in, lines of text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from condmix.deploy.format_choices import TITLES
from condmix.deploy.int8.guard import NAMED_RIGHTLY, GuardResult
from condmix.deploy.int8.record import Calibration, Int8FileOutcome, Int8Outcome
from condmix.deploy.metadata import condmix_version, size_text
from condmix.deploy.report.numbers import plural
from condmix.deploy.result_lines import output_lines
from condmix.deploy.sizes import file_size
from condmix.deploy.summary import FAILED, OK, Section, laid_out, parity_lines, time_line
from condmix.exporters.records import RewriteStep

SHOWN = 3


def summarise(outcome: Int8Outcome, *, in_detail: bool = False) -> str:
    """What was made, how accurate, how much of it is int8, and what to do next; each section under its label."""
    network = outcome.network
    size = size_text(network.input_size, outcome.plan.batch)
    head = f"condmix {condmix_version()}  {network.architecture}  {size}  int8"
    sections: tuple[Section, ...] = (
        ("float", parity_lines(outcome.shared)),
        ("calib", [] if outcome.calibration is None else _calibration_lines(outcome.calibration)),
        ("equalise", _step_lines(outcome.equalised)),
        *(section for file in outcome.files for section in _file_sections(file, in_detail=in_detail)),
        ("outputs", [] if not outcome.files else output_lines(outcome.files[0].artifact, network.output_kinds)),
        ("warning", outcome.warnings),
        ("note", outcome.notes),
        ("record", [str(outcome.record_path)]),
        ("images", [] if outcome.reference is None else [outcome.reference.sentence()]),
        ("time", [time_line(outcome.seconds, outcome.peak_memory_bytes)]),
        ("next", [f"condmix audit {file.artifact.path}" for file in outcome.files]),
    )
    return "\n".join([head, *laid_out(sections)])


def failure_text(outcome: Int8Outcome) -> str:
    """Of every rejected file: what is wrong with it, where it lies, and what may help."""
    if not outcome.shared.passed:
        reasons = [item.report.sentence() for item in outcome.shared.stages if not item.report.passed]
        who = outcome.network.yardstick
        lines = [f"the float graph does not compute what {who} computes, so nothing was rounded from it:"]
        return "\n".join([*lines, *(f"  - {reason}" for reason in reasons)])
    lines = []
    for file in outcome.files:
        path, wanted = file.artifact.path, outcome.plan.output.models[str(file.artifact.format)]
        if file.passed:
            lines.append(f"{path} has passed and was written.")
            continue
        lines.append(f"the int8 {TITLES[str(file.artifact.format)]} file was rejected:")
        lines += [f"  - {problem}" for problem in file.verification.problems()]
        if file.suppression is not None and not file.suppression.passed:
            lines.append(f"  - {file.suppression.sentence()}")
        guard = file.guard
        if guard is not None and not guard.met:
            lines.append(
                f"  - {guard.measure} drops by {100 * guard.drop:.2f} points ({guard.float_accuracy:.2%} to "
                f"{guard.accuracy:.2%}) with {plural(len(guard.put_back), 'layer')} in float; "
                f"--max-drop allows {100 * (guard.max_drop or 0):.2f}"
            )
        lines.append(f"It was written as {path}, for finding out why; {wanted} was not touched.")
    lines.append("More or other --calib images, --calib-method, --improve rounding or --keep-float may help.")
    return "\n".join(lines)


def _calibration_lines(calibration: Calibration) -> list[str]:
    ranges = calibration.ranges
    saved = "" if calibration.ranges_path is None else f"; saved as {calibration.ranges_path}"
    lines = [f"{ranges.image_count} images of {calibration.source}, method {ranges.method}{saved}"]
    if calibration.routing:
        experts = sum(len(block.strongest) for block in calibration.routing)
        idle = sum(len(item.experts) for item in calibration.unexercised)
        mark = OK if not idle else FAILED
        lines.append(f"{mark} {experts - idle} of {experts} experts exercised in {len(calibration.routing)} blocks")
    return lines


def _file_sections(file: Int8FileOutcome, *, in_detail: bool) -> tuple[Section, ...]:
    artifact = file.artifact
    rejected = "" if file.passed else f"  {FAILED} rejected"
    facts = f"{file_size(artifact.size_bytes)}, {file.size_ratio:.2f} of float32  sha256 {artifact.sha256[:12]}"
    return (
        (str(artifact.format), [f"{artifact.path}  {facts}{rejected}"]),
        ("int8", _int8_lines(file)),
        ("why", [_layer_line(layer) for layer in file.layers if in_detail]),
        ("agrees", [*_agreement_lines(file), *_suppression_lines(file)]),
        ("accuracy", _accuracy_lines(file)),
        ("routing", _drift_lines(file)),
        ("improved", _step_lines(file.improvements)),
    )


def _int8_lines(file: Int8FileOutcome) -> list[str]:
    """What the runtime makes of it, and the islands that multiply in float."""
    lines = [file.audit.verdict()]
    for island in file.audit.multiplying_islands[:SHOWN]:
        more_modules = f" and {len(island.where) - 1} more" if len(island.where) > 1 else ""
        lines.append(f"     float: {island.where[0]}{more_modules}: {island.reason}")
    more = len(file.audit.multiplying_islands) - SHOWN
    return [*lines, f"     and {more} more, in the record"] if more > 0 else lines


def _layer_line(layer: object) -> str:
    data = layer.to_dict()  # type: ignore[attr-defined]
    kind = data.get("form") or data.get("arithmetic")
    return f"{data['path']}: {kind}: {data['why']}"


def _agreement_lines(file: Int8FileOutcome) -> list[str]:
    verification = file.verification
    worst = max(verification.meaning, key=lambda check: check.worst_steps)
    mark = OK if all(check.passed for check in verification.meaning) else FAILED
    lines = [f"{mark} computes what it says: {worst.sentence()}; {len(verification.meaning)} ways of running"]
    problems = verification.problems()
    for item in verification.agreement:
        mark = FAILED if any(f"'{item.name}' is too far" in problem for problem in problems) else OK
        which = f"{item.name}: " if len(verification.agreement) > 1 else ""
        lines.append(f"{mark} with the float network on {item.image_count} images: {which}{item.sentence()}")
    if verification.sizes is not None:
        sizes = verification.sizes
        lines.append(f"{OK if not sizes.problems() else FAILED} sizes: {sizes.sentence()}")
    return lines


def _accuracy_lines(file: Int8FileOutcome) -> list[str]:
    guard = file.guard
    if guard is None:
        return []
    limit = "" if guard.max_drop is None else f", allowed {100 * guard.max_drop:.2f}"
    mark = OK if guard.met else FAILED
    lines = [f"{mark} {_measured(guard)}; float {guard.float_accuracy:.2%}, drop {100 * guard.drop:.2f} points{limit}"]
    return lines + [f"     back in float: {step.sentence()}" for step in guard.put_back]


def _measured(guard: GuardResult) -> str:
    if guard.measure == NAMED_RIGHTLY:
        return f"{guard.accuracy:.2%} of {guard.image_count} labelled images"
    return f"{guard.measure} {guard.accuracy:.2%} on {guard.image_count} labelled images"


def _suppression_lines(file: Int8FileOutcome) -> list[str]:
    proof = file.suppression
    return [] if proof is None else [f"{OK if proof.passed else FAILED} {proof.sentence()}"]


def _drift_lines(file: Int8FileOutcome) -> list[str]:
    if not file.drift:
        return []
    worst = max(file.drift, key=lambda item: item.largest)
    changed = max(file.drift, key=lambda item: item.changed_share)
    return [
        f"gates move by at most {worst.largest:.3f} (block {worst.block}); the strongest expert changes on "
        f"{changed.changed_share:.1%} of images at most (block {changed.block})"
    ]


def _step_lines(steps: Sequence[RewriteStep]) -> list[str]:
    counts = Counter(step.rule for step in steps if step.applied)
    return [" | ".join(f"{rule} x{count}" for rule, count in counts.items())] if counts else []
