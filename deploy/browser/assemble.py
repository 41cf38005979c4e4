"""The report of a browser: the same record as of any other device, compared and judged on this side."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from condmix.deploy.browser.facts import BrowserFacts
from condmix.deploy.browser.posted import PostedRun, PostedSubject
from condmix.deploy.browser.variants import WEBGPU, Variant, Variants
from condmix.deploy.metadata import condmix_version
from condmix.runtime.bench.environment import Environment
from condmix.runtime.bench.identity import precision_of
from condmix.runtime.bench.judge import judge
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.samples import Agreement, SubjectRecord
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import LITERT
from condmix.runtime.bench.verdict import Finding, Judgement, Verdict
from condmix.runtime.bench.verify import ONNX_TOLERANCE, TFLITE_TOLERANCE, verify

LARGEST_CLOCK_SHARE = 0.05
"""Of a median run: a clock with longer steps cannot tell runs apart that differ by as much as noise may."""
MOST_HIDDEN_SECONDS = 0.5
SECTION, MISSING_SECTION = "browser", "missing"
_SOFTWARE_ADAPTERS = ("swiftshader", "llvmpipe", "lavapipe")
_ENGINE_NAMES = {LITERT: "LiteRT.js"}


def assemble(
    run: PostedRun,
    variants: Variants,
    measured: Sequence[Variant],
    facts: BrowserFacts,
    settings: BenchSettings,
    *,
    command: Sequence[str],
) -> BenchReport:
    """The judged report. measured: what was posted, in order: the variants offered, then the control.

    What the browser does not offer is in sections["missing"], with the reason; sections["browser"] has its facts.
    """
    before = facts.environment(facts.power)
    report = BenchReport(
        condmix_version=condmix_version(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        settings=settings,
        subjects=tuple(_record(one, variant) for one, variant in zip(run.subjects, measured, strict=True)),
        control=measured[-1].name,
        environment_before=before,
        environment_after=facts.environment(run.power),
        rounds=run.rounds,
        interrupted=run.interrupted,
        verdict=Verdict(findings=(Finding(verdict=Judgement.TOO_SHORT, reason="it was not judged yet"),)),
        sections=_sections(run, variants, measured, facts),
    )
    return dataclasses.replace(report, verdict=_verdict(report, run, facts, before))


def _record(posted: PostedSubject, variant: Variant) -> SubjectRecord:
    file = variant.file
    engine = _ENGINE_NAMES.get(variant.subject.engine, "ONNX Runtime Web")
    version = f"{engine} {posted.engine_version}, {variant.backend}" if posted.engine_version else ""
    return SubjectRecord(
        subject=variant.subject,
        format=str(file.identity.format),
        precision=precision_of(file.identity.holds_integers),
        sha256=file.identity.sha256,
        size_bytes=file.identity.size_bytes,
        engine_version=version,
        inputs=file.feeds.shapes(),
        input_source=file.feeds.source,
        openings=posted.openings,
        samples=posted.samples,
        agreement=_agreement(posted, variant),
        delegate_coverage=None,
        failure=posted.failure,
    )


def _agreement(posted: PostedSubject, variant: Variant) -> Agreement | None:
    """The worst of all openings counts."""
    file = variant.file
    if file.agreement is not None or file.reference is None or file.feeds.source != "reference":
        return file.agreement
    found = [
        verify(
            outputs,
            file.reference,
            image_of_row=file.feeds.image_of_row,
            file_name=variant.subject.file.name,
            tolerance=TFLITE_TOLERANCE if variant.subject.engine == LITERT else ONNX_TOLERANCE,
            scales=file.scales,
        )
        for outputs in posted.outputs
    ]
    return min(found, key=lambda one: (one.passed, -one.max_abs_difference), default=None)


def _sections(
    run: PostedRun, variants: Variants, measured: Sequence[Variant], facts: BrowserFacts
) -> dict[str, object]:
    subjects = {
        variant.name: {
            "backend": variant.backend,
            "engine_start_ns": one.engine_start_ns,
            "fully_accelerated": one.fully_accelerated,
        }
        for one, variant in zip(run.subjects, measured, strict=True)
    }
    browser = {
        "facts": {key: value for key, value in facts.to_dict().items() if key not in ("schema_version", "kind")},
        "clock_step_after_ns": run.clock_step_ns,
        "hidden_seconds": run.hidden_seconds,
        "subjects": subjects,
    }
    missing = {name: {"reason": reason} for name, reason in variants.missing.items()}
    return {SECTION: browser, **({MISSING_SECTION: missing} if missing else {})}


def _verdict(report: BenchReport, run: PostedRun, facts: BrowserFacts, before: Environment) -> Verdict:
    """That of every report, with what can only happen in a browser."""
    common = judge(report)
    findings = [one for one in common.findings if one.verdict is not Judgement.VALID]
    findings += [
        Finding(verdict=Judgement.NOISY, reason=reason)
        for reason in (_coarse_clock(report, run, facts), _hidden(run))
        if reason
    ]
    machine = f"measured in {facts.browser}"
    adapter = (facts.webgpu_adapter or "").casefold()
    on_gpu = any(one.name.removesuffix(" (again)").endswith(f"@{WEBGPU}") for one in report.subjects)
    if on_gpu and any(word in adapter for word in _SOFTWARE_ADAPTERS):
        machine += f", whose WebGPU is software ({facts.webgpu_adapter})"
    if (others := before.machine()) is not None:
        machine += f", {others}"
    return Verdict.of(findings, valid=common.reason, machine=machine)


def _coarse_clock(report: BenchReport, run: PostedRun, facts: BrowserFacts) -> str | None:
    step_ns = max(facts.clock_step_ns, run.clock_step_ns)
    coarse = []
    for name in report.subject_names:
        steady = report.steady(name)
        if steady is not None and step_ns > LARGEST_CLOCK_SHARE * steady.median_ns:
            coarse.append(f"{name!r} {steady.median_ns / 1e6:.3g} ms")
    if not coarse:
        return None
    return f"the browser's clock has steps of {step_ns / 1e6:.3g} ms, long beside the median runs: {', '.join(coarse)}"


def _hidden(run: PostedRun) -> str | None:
    if run.hidden_seconds <= MOST_HIDDEN_SECONDS:
        return None
    return f"the page was not in front for {run.hidden_seconds:.3g} s, and browsers then slow pages down"
