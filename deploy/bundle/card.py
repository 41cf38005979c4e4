"""The model card of a bundle, MODEL_CARD.md: what a stranger who finds the bundle has to know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import jinja2

from condmix.deploy.bundle import card_facts
from condmix.deploy.bundle.card_template import TEMPLATE
from condmix.deploy.bundle.check_line import difference_text, sqnr_text, top1_text
from condmix.deploy.bundle.collect import Collected
from condmix.deploy.sizes import file_size
from condmix.runtime.bundle.artifact_check import ArtifactCheck
from condmix.runtime.bundle.manifest import Manifest
from condmix.runtime.cpu import read_cpu_facts

_MEANS_SOMETHING = re.compile(r"([\\`*\[\]<>|#])")


class _Verbatim(str):
    """A line of a code block, in which Markdown reads nothing."""

    __slots__ = ()


def model_card(manifest: Manifest, collected: Collected, checks: Sequence[ArtifactCheck], *, archive: str) -> str:
    """The card as Markdown, the same for the same bundle. archive: the name of the bundle's file."""
    by_name = {check.name: check for check in checks}
    apart = {one.path.name: sum(path.stat().st_size for path in one.weights) for one in collected.artifacts}
    found = [check.agreement for check in checks if check.agreement is not None]
    names_classes = not found or any(agreement.top1_agreement is not None for agreement in found)
    text = _template().render(
        network=manifest.network,
        condmix_version=manifest.condmix_version,
        created=manifest.created,
        archive=_Verbatim(archive),
        files=[
            (
                one.name,
                str(one.format),
                card_facts.NOT_SAID if one.precision is None else str(one.precision),
                file_size(manifest.member(one.name).size_bytes + apart.get(one.name, 0)),
                difference_text(by_name[one.name].agreement),
                (top1_text if names_classes else sqnr_text)(by_name[one.name].agreement),
            )
            for one in manifest.artifacts
        ],
        kept="top-1 agreement" if names_classes else "SQNR",
        tried_on=_tried_on(checks),
        expected=_expected(checks),
        network_facts=card_facts.network_facts(collected),
        preprocessing=card_facts.preprocessing_lines(collected),
        inputs=card_facts.input_rows(collected, by_name),
        outputs=card_facts.output_lines(collected),
        routing=card_facts.routing_sentence(collected),
        gates=card_facts.gate_rows(collected),
        int8=card_facts.int8_lines(collected),
        example=[_Verbatim(line) for line in card_facts.example_lines(collected)],
    )
    return text if text.endswith("\n") else f"{text}\n"


def _tried_on(checks: Sequence[ArtifactCheck]) -> str:
    """Where and on what the figures of the table were found."""
    cpu = read_cpu_facts()
    engines = dict.fromkeys(f"{check.engine} {check.engine_version}" for check in checks)
    images = sorted({check.agreement.images for check in checks if check.agreement is not None})
    name = ", ".join(cpu.model_names) or cpu.architecture
    return (
        f"Found when the bundle was made, on {' or '.join(map(str, images))} inputs, by {' and '.join(engines)} on "
        f"{name} ({cpu.system} {cpu.architecture})."
    )


def _expected(checks: Sequence[ArtifactCheck]) -> list[tuple[str, str]]:
    """(files, where what is expected of them comes from)."""
    names: dict[str, list[str]] = {}
    for check in checks:
        if check.agreement is not None:
            names.setdefault(check.agreement.source, []).append(check.name)
    return [(", ".join(files), source) for source, files in names.items()]


def safe(value: object) -> object:
    """A value that is a text, with all that Markdown or HTML would take for theirs marked as text, on one line."""
    if not isinstance(value, str) or isinstance(value, _Verbatim):
        return value
    shown = "".join(letter for letter in " ".join(value.split()) if letter.isprintable())
    return _MEANS_SOMETHING.sub(r"\\\1", shown)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=False,  # Markdown, made safe by `finalize`
        finalize=safe,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(TEMPLATE)
