"""The report as one HTML page: nothing is loaded, no script runs, everything that was measured is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from condmix.deploy.report.caveats import caveats_section
from condmix.deploy.report.extra_sections import (
    batch_section,
    inputs_section,
    int8_section,
    routing_section,
    tradeoff_section,
)
from condmix.deploy.report.headline import failures_section, headline_section
from condmix.deploy.report.latency_section import latency_section
from condmix.deploy.report.machine_section import machine_section, settings_section
from condmix.deploy.report.outcome_sections import gates_section, missing_section
from condmix.deploy.report.parts import Section
from condmix.deploy.report.profile_section import profile_section
from condmix.deploy.report.series import letter, swatch
from condmix.deploy.report.view import ReportView

SECTIONS = (
    headline_section,
    failures_section,
    gates_section,
    missing_section,
    tradeoff_section,
    latency_section,
    profile_section,
    routing_section,
    batch_section,
    inputs_section,
    int8_section,
    caveats_section,
    machine_section,
    settings_section,
)
"""In the order of the page; one that has nothing to say gives None."""

HOME = Path(__file__).parent


def sections_of(view: ReportView) -> tuple[Section, ...]:
    """Every section with something to say. Raises UnreadableFileError where the record's sections are damaged."""
    found = (section(view) for section in SECTIONS)
    return tuple(section for section in found if section is not None)


def title_of(view: ReportView) -> str:
    """Files, machine, date: what a browser's tab shows."""
    files = list(dict.fromkeys(record.subject.file.name for record in view.report.subjects))
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    return f"Latency of {', '.join(files[:2])}{more}"


def subtitle_of(view: ReportView) -> str:
    """The machine and the date in one line."""
    cpu = view.report.environment_before.cpu
    name = ", ".join(cpu.model_names) or cpu.architecture
    return f"{name}, {cpu.system}, {view.report.created}"


def html_page(view: ReportView, sections: Sequence[Section]) -> str:
    """The whole page."""
    template = _environment().get_template("page.html")
    verdict = view.report.verdict
    return template.render(
        title=title_of(view),
        subtitle=subtitle_of(view),
        first_line=verdict.first_line(),
        judgement=str(verdict.judgement).replace(" ", "-").lower(),
        findings=[(str(one.verdict), one.reason) for one in verdict.findings[1:]],
        sections=sections,
        # Our own file, without anything of the report in it.
        style=Markup((HOME / "style.css").read_text(encoding="utf-8")),
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HOME),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(letter=letter, swatch=swatch)
    return environment
