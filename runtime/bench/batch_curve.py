"""The batch curve: what one image costs when a file with a free batch axis computes several in one run."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.subject import BenchSubject


def batch_curve(report: BenchReport) -> Mapping[str, object]:
    """The section `batch_curve`: file -> its points, the smallest batch first.

    Of subjects that state a batch, the baseline's second measurement left out; a file that was run in several ways
    (threads, delegate) has a curve for each, named after it. One point is no curve, a subject without a run no point.
    """
    ways: dict[tuple[object, ...], list[dict[str, object]]] = {}
    subjects: dict[tuple[object, ...], BenchSubject] = {}
    for record in report.subjects:
        subject, steady = record.subject, report.steady(record.name)
        if subject.batch is None or record.name == report.control or steady is None:
            continue
        way = (subject.file, subject.engine, subject.threads, subject.delegate)
        subjects[way] = subject
        ways.setdefault(way, []).append(
            {
                "batch": subject.batch,
                "median_ns": steady.median_ns,
                "per_image_ns": steady.median_ns / subject.batch,
                "subject": subject.name,
            }
        )
    curves = {way: sorted(points, key=_batch) for way, points in ways.items() if len(points) > 1}
    names = {way: _name(subjects[way], [subjects[other] for other in curves if other != way]) for way in curves}
    return {names[way]: points for way, points in curves.items()}


def _batch(point: Mapping[str, object]) -> int:
    return int(str(point["batch"]))


def _name(subject: BenchSubject, others: list[BenchSubject]) -> str:
    """The file's name, with what tells it from other curves."""
    alike = [other for other in others if other.file.name == subject.file.name]
    parts = [subject.file.name if all(other.file == subject.file for other in alike) else subject.file.as_posix()]
    if any(other.engine != subject.engine for other in alike):
        parts.append(subject.engine)
    if any(other.threads != subject.threads for other in alike):
        parts.append(f"{subject.threads} thread{'' if subject.threads == 1 else 's'}")
    if any(other.delegate != subject.delegate for other in alike):
        parts.append("delegate" if subject.delegate else "no delegate")
    return ", ".join(parts)
