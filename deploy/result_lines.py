"""The outputs of a network in words, for a summary: names, shapes, and what each is."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.runtime.artifact import Artifact
from condmix.runtime.output_kind import CLASSES, VALUES, told_kinds


def output_lines(artifact: Artifact, kinds: Mapping[str, str]) -> list[str]:
    """One line an output; none of a plain classifier, of which nothing needs to be said."""
    specs = artifact.signature.outputs
    if len(specs) == 1 and not told_kinds(kinds):
        return []
    width = max(len(spec.name) for spec in specs)
    unknown = VALUES if kinds else CLASSES
    lines = []
    for spec in specs:
        layout = f"  {spec.layout}" if spec.layout else ""
        shape = "x".join(map(str, spec.shape)) or "a number"
        lines.append(f"{spec.name.ljust(width)}  {shape}{layout}  {kinds.get(spec.name, unknown)}")
    return lines
