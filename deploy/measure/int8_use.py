"""What the int8 files of a report truly run in int8: the section `int8`, the record of `condmix audit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from condmix.runtime.artifact import Precision
from condmix.runtime.audit.audit import audit_file
from condmix.runtime.bench.subject import ONNXRUNTIME
from condmix.runtime.errors import InferenceError

if TYPE_CHECKING:
    from condmix.runtime.bench.report import BenchReport
    from condmix.runtime.bench.samples import SubjectRecord

RUNS = 1
"""The graph is asked for, not its times: those are of the profile."""


def int8_use(report: BenchReport) -> Mapping[str, object]:
    """Subject -> the audit of its file without the single nodes, of every int8 file that ran, each looked at once.

    A file that cannot be looked at has no entry: the page then names the command that tells why.
    """
    known: dict[Path, Mapping[str, object] | None] = {}
    section: dict[str, object] = {}
    for record in report.subjects:
        if record.precision != Precision.INT8 or record.failure is not None or record.name == report.control:
            continue
        file = record.subject.file
        if file not in known:
            known[file] = _audit(record)
        found = known[file]
        if found is not None:
            section[record.name] = found
    return section


def _audit(record: SubjectRecord) -> Mapping[str, object] | None:
    shapes = record.inputs if record.subject.engine == ONNXRUNTIME else {}
    try:
        audit = audit_file(record.subject.file, threads=record.subject.threads, runs=RUNS, shapes=shapes)
    except InferenceError:
        return None
    content = audit.to_dict()
    del content["nodes"]
    return content
