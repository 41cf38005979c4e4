"""The measured table of the suite as Markdown: what was recognised, the forms, the errors, the refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.conformance.case import ConformanceCase
from tests.conformance.proof import Attempt, Proof

COLUMNS = (
    "network", "what it is", "input", "CondConv", "MixConv", "forms at batch 1", "forms at any batch",
    "error at batch 1", "error at any batch", "PyTorch float32", "limit", "TFLite error", "TFLite limit",
)  # fmt: skip
SOURCES = {
    "zoo": "Networks of the zoo",
    "detectors": "Detectors",
    "timm": "Networks of timm",
    "other people's style": "Styles of other people's code, and lookalikes",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the page says of one case; small, so that proofs with their graphs need not be kept."""

    case: ConformanceCase
    cells: tuple[str, ...]
    refusals: tuple[tuple[str, str, str], ...]
    """Network, layer or build, reason."""
    more: tuple[tuple[str, str, str, str], ...]
    """Network, build, error, limit; for the builds beyond one image and any batch."""


def row(proof: Proof) -> Row:
    """The facts of a proof without faults."""
    case, first, second = proof.case, proof.one_image, proof.any_batch
    limits = [found.limit for found in (_errors(first), _errors(second)) if found is not None]
    own = [found.own for found in (_errors(first), _errors(second)) if found is not None]
    cells = (
        f"`{case.name}`",
        case.style,
        "x".join(map(str, case.input_size)),
        _count(case.condconv_layers),
        _count(case.mixconv_layers),
        _forms(first),
        _forms(second),
        _shown(first),
        _shown(second),
        f"{max(own):.1e}",
        f"{max(limits):.1e}",
        *_tflite(proof),
    )
    return Row(case=case, cells=cells, refusals=tuple(_refusals(proof)), more=tuple(_more(proof)))


def page(rows: Sequence[Row], *, command: str, date: str, versions: Iterable[str], machine: str) -> str:
    """The whole page. Every case stands in the first tables exactly once."""
    builds = sum(len(item.case.exports) for item in rows)
    parts = [
        "# Conformance",
        f"{len(rows)} networks in {builds} builds. Every build runs in ONNX Runtime and is compared with PyTorch in "
        "float64: each stage (captured, named, rewritten, final) on images that drive the routing apart, the final one "
        "on one and two threads, and a file for any batch at 1, 2, 3, 5 and 8 images, among other neighbours and in "
        "another order.",
        f"Measured with `{command}` on {date}; {', '.join(versions)}; {machine}.",
        "Errors are the largest difference of an output from PyTorch in float64 over the largest output of that image, "
        "in the stage and batch that came nearest to its limit; beside them PyTorch's own float32 error and the limit. "
        "The TFLite figures are the same of the files for one image, for three, and with every expert's kernel stored, "
        "through the delegate and through the builtin kernels, whichever came nearest to its limit. "
        "Weights are random, settled so that norms and routing behave as in a trained network. What is refused is "
        "listed below with its reason.",
    ]
    for source, title in SOURCES.items():
        parts += [f"## {title}", _table(COLUMNS, [item.cells for item in rows if item.case.source == source])]
    refusals = [refusal for item in rows for refusal in item.refusals]
    more = [build for item in rows for build in item.more]
    parts += [
        "## Refused",
        "A layer that resembles one of the constructs without being one stays as it is; a build without an exact form "
        "is not written, and of its problems the first is shown here.",
        _table(("network", "layer or build", "reason"), refusals),
        "## Forced forms, fixed batches and other operator sets",
        _table(("network", "build", "error", "limit"), more),
    ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Errors:
    """Of one build, over the largest output of the image."""

    measured: float
    own: float
    limit: float


def _errors(attempt: Attempt) -> _Errors | None:
    output = None if attempt.worst is None else attempt.worst.worst_output
    if output is None or output.worst is None or output.own_relative is None:
        return None
    return _Errors(measured=output.worst.relative, own=output.own_relative, limit=output.worst.limit_relative)


def _shown(attempt: Attempt) -> str:
    found = _errors(attempt)
    return "refused" if found is None else f"{found.measured:.1e}"


def _tflite(proof: Proof) -> tuple[str, str]:
    """Error and limit of the TFLite file, and the way of running it, that came nearest to its limit."""
    reports = [item.report for file in proof.tflite if file.verification for item in file.verification.stages]
    worst = [report.worst_output for report in reports]
    found = [output.worst for output in worst if output is not None and output.worst is not None]
    if not found:
        return "refused" if proof.tflite else "", ""
    nearest = max(found, key=lambda item: item.relative / item.limit_relative)
    return f"{nearest.relative:.1e}", f"{nearest.limit_relative:.1e}"


def _count(layers: int) -> str:
    return str(layers) if layers else ""


def _forms(attempt: Attempt) -> str:
    if attempt.build is None:
        return "refused"
    forms = Counter(layer.form for layer in attempt.build.layers if layer.form is not None)
    return ", ".join(f"{form} {count}" for form, count in forms.most_common())


def _refusals(proof: Proof) -> Iterator[tuple[str, str, str]]:
    name = f"`{proof.case.name}`"
    assert proof.one_image.build is not None
    for layer in proof.one_image.build.layers:
        if not layer.recognised:
            yield name, f"{layer.kind.value} `{layer.path}`", layer.why
    for attempt in proof.attempts:
        if attempt.refusal is not None:
            problems = [line.removeprefix("  - ") for line in attempt.refusal.splitlines() if line.startswith("  - ")]
            yield name, f"`{attempt.export.label}`", problems[0] if problems else attempt.refusal


def _more(proof: Proof) -> Iterator[tuple[str, str, str, str]]:
    for attempt in proof.attempts[2:]:
        found = _errors(attempt)
        if found is not None:
            label = f"`{attempt.export.label}`"
            yield f"`{proof.case.name}`", label, f"{found.measured:.1e}", f"{found.limit:.1e}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in cells] for cells in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
