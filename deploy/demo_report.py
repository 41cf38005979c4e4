"""The last step of the demonstration: the latency report of one network's files in both engines and precisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from condmix.deploy.compare.routing_section import routing_section
from condmix.deploy.measure.plan import BenchRequest, make_plan
from condmix.deploy.measure.profiles import Profiles
from condmix.deploy.measure.progress import told
from condmix.deploy.measure.sections import ALWAYS, with_sections
from condmix.deploy.report.write import write_report
from condmix.runtime.bench.report import BenchReport
from condmix.runtime.bench.run import run_bench
from condmix.runtime.bench.settings import BenchSettings

SETTINGS = BenchSettings(warmup_seconds=0.1, minimum_runs=200, minimum_seconds=0.5)


def report_on(
    files: Sequence[Path],
    accuracies: Mapping[str, float],
    images: int,
    folder: Path,
    command_line: tuple[str, ...],
    say: Callable[[str], None],
) -> tuple[BenchReport, Path]:
    """The files of one network are measured in turns and profiled; the report and its page, which lies in `folder`.

    accuracies: file name -> share of `images` held-out digits that the file names rightly. An older report in the
    folder is replaced. Raises what measuring raises.
    """
    plan = make_plan(BenchRequest(files=tuple(files)))
    measured = run_bench(
        plan.subjects, SETTINGS, references=plan.references, report_progress=told(say), command=command_line
    )

    def accuracy(report: BenchReport) -> Mapping[str, object]:
        return {
            record.name: {
                "top1": accuracies[record.subject.file.name],
                "images": images,
                "source": "held-out digits",
            }
            for record in report.subjects
            if record.name != report.control
        }

    wanted = {**ALWAYS, "accuracy": accuracy, "routing": routing_section, "profile": Profiles(say).make}
    report = with_sections(measured, wanted, say)
    return report, write_report(report, folder, overwrite=True).html
