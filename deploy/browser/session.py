"""One run between the server's threads and whoever waits: who holds the page, how far it is, and its one report."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from condmix.deploy.browser.assemble import assemble
from condmix.deploy.browser.detector_facts import drawing_of
from condmix.deploy.browser.errors import BrowserError
from condmix.deploy.browser.facts import BrowserFacts, text_problems
from condmix.deploy.browser.one_file import with_weights
from condmix.deploy.browser.packages import LITERT_JS, version_of
from condmix.deploy.browser.posted import read_run
from condmix.deploy.browser.result_view import result_view
from condmix.deploy.browser.subject_file import SubjectFile, pack_feeds
from condmix.deploy.browser.variants import Variant, Variants, variants
from condmix.runtime.artifact import Format
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import CONTROL_SUFFIX, Progress
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.errors import InvalidRecordError, InvalidSettingError
from condmix.runtime.external_data import external_files, identity_with
from condmix.runtime.records import read_fields

TOKEN_BYTES = 16
READ, STEP = "reading the files", "measuring in the browser"
_RECORD = "BrowserProgress"


class RefusedError(Exception):
    """The page is told, with this status. Never leaves this folder."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """The page that was opened last: only it may post, and its nonce is good for one report."""

    nonce: str
    facts: BrowserFacts
    variants: Variants
    measured: tuple[Variant, ...]


class BrowserSession:
    """Everything of one run that the server's threads share; each method takes the lock for itself."""

    def __init__(
        self,
        files: Sequence[SubjectFile],
        settings: BenchSettings,
        *,
        title: str,
        all_cores: bool,
        webgpu: bool,
        command: Sequence[str],
        subject_seconds: float,
        report_progress: Callable[[Progress], None],
    ) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.ended = threading.Event()
        self.answered = threading.Event()
        self.report: BenchReport | None = None
        self.error: BrowserError | None = None
        self._files = tuple(files)
        self._settings = settings
        self._title = title
        self._all_cores, self._webgpu = all_cores, webgpu
        self._command = tuple(command)
        self._subject_seconds = subject_seconds
        self._report_progress = report_progress
        self._lock = threading.Lock()
        self._claim: _Claim | None = None
        self._stop: str | None = None
        self._heard_at = time.monotonic()
        self._packed = {file.key: pack_feeds(file.feeds) for file in self._files}
        self._models = {file.key: _content(file) for file in self._files}
        self._keys = tuple(self._packed)
        self._drawings = {
            file.key: None if file.signature is None else drawing_of(file, file.signature) for file in self._files
        }

    def is_token(self, text: str) -> bool:
        """Compared in the same time whatever it is; none is right once the run has ended."""
        right = hmac.compare_digest(text.encode(), self.token.encode())
        return right and not self.ended.is_set()

    @property
    def is_claimed(self) -> bool:
        """A page was opened."""
        return self._claim is not None

    def silent_seconds(self) -> float:
        """Since the page was last heard of."""
        return time.monotonic() - self._heard_at

    def stop(self, reason: str) -> None:
        """The page is asked, at its next sign of life, to end and to hand in what it has."""
        self._stop = reason

    def heard(self) -> None:
        """The page is alive."""
        self._heard_at = time.monotonic()

    def model_content(self, place: int) -> bytes | None:
        """The bytes that were looked into; None for a place that is not there."""
        return None if not 0 <= place < len(self._keys) else self._models[self._keys[place]]

    def feeds_content(self, place: int) -> bytes | None:
        """The arrays of that file in one piece; None for a place that is not there."""
        return None if not 0 <= place < len(self._keys) else self._packed[self._keys[place]][0]

    def claim(self, data: object) -> dict[str, object]:
        """What the page is to measure, after what its browser offers. A page opened later takes the run over.

        Raises InvalidRecordError, or RefusedError where the browser offers nothing that was asked for.
        """
        facts = BrowserFacts.from_dict(data)
        found = variants(self._files, facts, all_cores=self._all_cores, webgpu=self._webgpu)
        if not found.offered:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in found.missing.items())
            error = BrowserError(
                STEP, f"{facts.browser} can run nothing of it: {reasons}", "Try another browser or other files."
            )
            self._end(error=error)
            raise RefusedError(422, str(error))
        first = found.offered[0]
        control = replace(first, subject=replace(first.subject, name=first.name + CONTROL_SUFFIX))
        claim = _Claim(
            nonce=secrets.token_urlsafe(TOKEN_BYTES), facts=facts, variants=found, measured=(*found.offered, control)
        )
        with self._lock:
            self._claim = claim
            self.heard()
        self._report_progress(Progress(stage=f"opened in {facts.sentence()}", part=0.0))
        return self._plan(claim)

    def progress(self, data: object) -> dict[str, object]:
        """Whether to stop. Raises InvalidRecordError, RefusedError."""
        values = read_fields(
            data, record=_RECORD, fields={"nonce": str, "stage": str, "part": float}, schema_version=None
        )
        part = cast(float, values["part"])
        problems = text_problems(values)
        if not 0 <= part <= 1:
            problems.append(f"'part' must be 0 to 1, found {part}")
        if problems:
            raise InvalidRecordError(problems, record=_RECORD)
        self._check_nonce(cast(str, values["nonce"]))
        self._report_progress(Progress(stage=cast(str, values["stage"]), part=part))
        return {"stop": self._stop}

    def hand_in(self, data: object) -> dict[str, object]:
        """What the phone shows: the report is taken, judged, and the run is over.

        Raises RefusedError; one by the right page that is no report ends the run too.
        """
        nonce = data.get("nonce") if isinstance(data, Mapping) else None
        claim = self._check_nonce(nonce if isinstance(nonce, str) else "", spend=True)
        try:
            run = read_run(data, claim.measured, self._settings)
            if run.interrupted is not None and self._stop is not None:
                run = replace(run, interrupted=self._stop)
            report = assemble(run, claim.variants, claim.measured, claim.facts, self._settings, command=self._command)
        except (InvalidRecordError, InvalidSettingError) as error:
            self.refuse(str(error))
            raise RefusedError(422, str(error)) from error
        view = result_view(report, claim.facts)
        self._end(report=report)
        return view

    def refuse(self, reason: str) -> None:
        """The run has ended with what the page posted, which was no report."""
        next_step = "Start again; if it happens again, report it with this text."
        self._end(error=BrowserError(STEP, f"what the browser posted is no report: {reason}", next_step))

    def _check_nonce(self, nonce: str, *, spend: bool = False) -> _Claim:
        with self._lock:
            claim = self._claim
            if claim is None or not hmac.compare_digest(nonce.encode(), claim.nonce.encode()):
                raise RefusedError(409, "this page is not the one that was opened last, which alone measures")
            self.heard()
            if spend:
                self._claim = replace(claim, nonce=secrets.token_urlsafe(TOKEN_BYTES))
            return claim

    def _end(self, *, report: BenchReport | None = None, error: BrowserError | None = None) -> None:
        with self._lock:
            if self.ended.is_set():
                return
            self.report, self.error = report, error
            self.ended.set()

    def _plan(self, claim: _Claim) -> dict[str, object]:
        place = {key: number for number, key in enumerate(self._keys)}
        count = {file.key: file.feeds.count for file in self._files}
        return {
            "nonce": claim.nonce,
            "title": self._title,
            "settings": self._settings.to_dict(),
            "timeout_ms": int(self._subject_seconds * 1000),
            "versions": {"litert": version_of(LITERT_JS)},
            "models": [{"path": f"model/{number}"} for number in range(len(self._keys))],
            "feeds": [
                {"path": f"feeds/{number}", "count": count[key], "arrays": self._packed[key][1]}
                for number, key in enumerate(self._keys)
            ],
            "subjects": [
                {
                    "name": one.name,
                    "engine": one.subject.engine,
                    "backend": one.backend,
                    "threads": one.subject.threads,
                    "model": place[one.file.key],
                    "feeds": place[one.file.key],
                    "drawing": self._drawings[one.file.key],
                }
                for one in claim.measured
            ],
        }


def _content(file: SubjectFile) -> bytes:
    """What is served is what was looked into, whatever becomes of the file. Raises BrowserError."""
    path = file.subject.file
    try:
        content = path.read_bytes()
        weights = external_files(path, content) if file.identity.format is Format.ONNX else {}
        sha256, _ = identity_with(content, weights)
    except OSError as error:
        raise BrowserError(READ, f"{path}: {error.strerror or error}", "Check that file.") from error
    if sha256 != file.identity.sha256:
        raise BrowserError(READ, f"{path} was changed while it was looked into", "Start again when nobody writes it.")
    return with_weights(path) if weights else content
