"""Each file in every way that the browser offers: WASM on one and more threads, WebGPU; and why not the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from condmix.deploy.browser.facts import BrowserFacts
from condmix.deploy.browser.subject_file import LITERT_JS_TYPES, SubjectFile
from condmix.runtime.bench.subject import LITERT, BenchSubject

WASM, WEBGPU = "wasm", "webgpu"
MOST_THREADS = 4
"""As many as are tried where nobody says how many: phones have few fast cores, and the slowest one rules."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One line of the report. subject: named with its backend. backend: "wasm" or "webgpu"."""

    subject: BenchSubject
    backend: str
    file: SubjectFile

    @property
    def name(self) -> str:
        """Of the subject."""
        return self.subject.name


@dataclass(frozen=True, kw_only=True)
class Variants:
    """offered: what is measured, in order. missing: name -> why this browser does not offer it."""

    offered: tuple[Variant, ...]
    missing: dict[str, str]


def variants(files: Sequence[SubjectFile], facts: BrowserFacts, *, all_cores: bool, webgpu: bool) -> Variants:
    """Every subject on WASM with its own threads; besides, once for each file, on more threads and on WebGPU.

    all_cores: a file of which no subject asks for more than one thread also runs on as many as there are cores.
    """
    wanted: list[Variant] = []
    more: dict[tuple[object, ...], bool] = {}
    for file in files:
        more[file.key] = more.get(file.key, False) or file.subject.threads > 1
    done: set[tuple[object, ...]] = set()
    for file in files:
        wanted.append(_variant(file, WASM, file.subject.threads))
        if file.key in done:
            continue
        done.add(file.key)
        if all_cores and not more[file.key]:
            wanted.append(_variant(file, WASM, _all_cores(facts)))
        if webgpu:
            wanted.append(_variant(file, WEBGPU, 1))
    missing = {one.name: reason for one in wanted if (reason := why_not(one, facts)) is not None}
    return Variants(offered=tuple(one for one in wanted if one.name not in missing), missing=missing)


def why_not(variant: Variant, facts: BrowserFacts) -> str | None:
    """Why this browser cannot run it, as far as that is known without trying; else None."""
    is_litert = variant.subject.engine == LITERT
    if is_litert and (strange := sorted(variant.file.types - LITERT_JS_TYPES)):
        return (
            f"LiteRT.js takes {', '.join(sorted(LITERT_JS_TYPES))} at the ends of a file only, this one has "
            f"{', '.join(strange)}: export it with float32 inputs and outputs"
        )
    if variant.backend == WEBGPU:
        return facts.webgpu_missing
    threads = variant.subject.threads
    if threads == 1:
        return None
    if not facts.cross_origin_isolated:
        return f"{threads} threads need shared memory, which a browser gives to https and localhost only"
    if facts.hardware_concurrency is not None and facts.hardware_concurrency < threads:
        return f"{threads} threads were asked for, the browser has {facts.hardware_concurrency} core(s)"
    if is_litert and not facts.relaxed_simd:
        return "LiteRT.js has threads only where there is relaxed SIMD, which this browser has not"
    return None


def _all_cores(facts: BrowserFacts) -> int:
    return max(2, min(MOST_THREADS, facts.hardware_concurrency or 2))


def _variant(file: SubjectFile, backend: str, threads: int) -> Variant:
    subject = file.subject
    base = subject.name if threads == subject.threads or backend == WEBGPU else f"{subject.name}@{threads}t"
    named = dataclasses.replace(subject, name=f"{base}@{backend}", threads=threads, delegate=True)
    return Variant(subject=named, backend=backend, file=file)
