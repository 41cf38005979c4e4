"""What goes into a bundle: the model files that were named, and the record and reference that lie beside each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.bundle.source_record import Plain, SourceRecord, record_for, sha256_of, text
from condmix.deploy.errors import PlanError, UnreadableFileError
from condmix.deploy.output_names import REJECTED
from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import format_of
from condmix.runtime.bench.reference import Limit, Reference, find_reference, read_reference
from condmix.runtime.bundle.manifest import MANIFEST_NAME
from condmix.runtime.bundle.member_name import doubled, name_problem
from condmix.runtime.errors import InferenceError, ModelUnreadableError
from condmix.runtime.external_data import external_files

CARD_NAME = "MODEL_CARD.md"
SUFFIXES = (".onnx", ".tflite")
_SUMMARY = "the bundle cannot be made:"


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceArtifact:
    """A model file with all that lies beside it. record, entry: None for a file that condmix did not export.

    limit: how far it may be off, None where nobody said. weights: files beside it that hold a part of its weights.
    """

    path: Path
    content: bytes
    sha256: str
    format: Format
    record: SourceRecord | None
    entry: Plain | None
    reference_path: Path
    reference: Reference
    limit: Limit | None
    weights: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Collected:
    """All files of a bundle but its card and manifest; notes: what was left out, and why."""

    artifacts: tuple[SourceArtifact, ...]
    notes: tuple[str, ...]

    @property
    def records(self) -> tuple[SourceRecord, ...]:
        """Each once."""
        found = {one.record.path.absolute(): one.record for one in self.artifacts if one.record is not None}
        return tuple(found.values())

    @property
    def weights(self) -> tuple[Path, ...]:
        """The files that hold weights of an artifact, each once."""
        return tuple({path.absolute(): path for one in self.artifacts for path in one.weights}.values())

    @property
    def references(self) -> tuple[Path, ...]:
        """Each once."""
        return tuple({one.reference_path.absolute(): one.reference_path for one in self.artifacts}.values())


def collect(paths: Sequence[Path], *, reference: Path | None, tolerance: float | None) -> Collected:
    """The model files at `paths`, folders of them or single ones, with everything that belongs to them.

    reference: for files that have none of their own. tolerance: largest difference of files without a limit.
    Raises UnreadableFileError for what is not there, PlanError with everything that does not belong together.
    """
    models, notes = _models(paths)
    problems: list[str] = []
    given = None if reference is None else _read(reference, problems)
    artifacts = []
    for model in models:
        found = _artifact(model, reference, given, tolerance, problems)
        artifacts += [] if found is None else [found]
    if reference is not None and given is not None and not any(one.reference is given for one in artifacts):
        problems.append(f"--reference {reference}: every file has a reference of its own beside it; leave it out")
    if tolerance is not None and artifacts and not any(_is_given(one, tolerance) for one in artifacts):
        problems.append("--tolerance: the reference has a limit for every file; leave it out")
    collected = Collected(artifacts=tuple(artifacts), notes=tuple(notes))
    problems += _network_problems(collected)
    problems += _name_problems(collected)
    if problems:
        raise PlanError(_SUMMARY, problems)
    return collected


def _models(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    models, notes, missing = [], [], []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
            rejected = [one for one in inside if _is_rejected(one)]
            notes += [f"{one.name} was rejected by its export and is left out" for one in rejected]
            models += [one for one in inside if one not in rejected]
            if len(rejected) == len(inside):
                missing.append(f"{path}: there is no file in it that ends in {' or '.join(SUFFIXES)}")
        elif not path.exists():
            missing.append(f"{path}: there is no such file or folder")
        else:
            models.append(path)
    if missing:
        raise UnreadableFileError("\n".join(missing) + "\nGive the output folder of condmix export, or model files.")
    return list({one.absolute(): one for one in models}.values()), notes


def _is_rejected(path: Path) -> bool:
    return path.name.removesuffix(path.suffix).endswith(REJECTED)


def _artifact(
    model: Path, given_path: Path | None, given: Reference | None, tolerance: float | None, problems: list[str]
) -> SourceArtifact | None:
    if _is_rejected(model):
        problems.append(f"{model}: it was rejected by its export: it does not compute what PyTorch computes")
        return None
    try:
        format, content = format_of(model), model.read_bytes()
        weights = external_files(model, content) if format is Format.ONNX else {}
    except (ModelUnreadableError, OSError) as error:
        raise UnreadableFileError(str(error)) from error
    if inner := [location for location in weights if "/" in location]:
        names = ", ".join(inner)
        problems.append(f"{model}: its weights lie in {names}, and a bundle has no folders: put them beside it")
        return None
    sha256 = sha256_of(content)
    record, problem = record_for(model, sha256)
    entry = None if record is None else record.entry(sha256)
    if problem is not None:
        problems.append(f"{problem}: export again")
        return None
    if entry is not None and entry.get("passed") is not True:
        problems.append(f"{model}: its record says that it did not pass")
        return None
    path = _reference_beside(model, record, problems)
    reference = None if path is None else _read(path, problems)
    if path is None:
        path, reference = given_path, given
        if path is None:
            problems.append(
                f"{model}: there is no reference beside it ({model.stem}.reference.npz): export again, or give one "
                "with --reference"
            )
    if path is None or reference is None:
        return None
    limit = reference.limits.get(model.name)
    if limit is None and tolerance is not None:
        limit = Limit(max_abs_difference=tolerance)
    return SourceArtifact(
        path=model,
        content=content,
        sha256=sha256,
        format=format,
        record=record,
        entry=entry,
        reference_path=path,
        reference=reference,
        limit=limit,
        weights=tuple(weights.values()),
    )


def _reference_beside(model: Path, record: SourceRecord | None, problems: list[str]) -> Path | None:
    """The reference that was written with the file, or lies beside it under its name."""
    if record is None or record.reference is None:
        return find_reference(model)
    path, sha256 = record.reference
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.append(f"{path}: the reference that {record.path.name} names cannot be read: {error.strerror}")
        return None
    if sha256_of(content) != sha256:
        problems.append(f"{path}: it is not the reference that {record.path.name} was written with: export again")
    return path


def _read(path: Path, problems: list[str]) -> Reference | None:
    try:
        return read_reference(path)
    except InferenceError as error:
        problems.append(f"{path}: {' '.join(str(error).split())}")
        return None


def _is_given(artifact: SourceArtifact, tolerance: float) -> bool:
    return artifact.path.name not in artifact.reference.limits and artifact.limit == Limit(max_abs_difference=tolerance)


def _network_problems(collected: Collected) -> list[str]:
    """A bundle is of one network."""
    weights: dict[tuple[str | None, str | None], list[str]] = {}
    for record in collected.records:
        weights.setdefault((record.architecture, record.source_sha256), []).append(record.path.name)
    if len(weights) < 2:
        return []
    listed = "; ".join(
        f"{', '.join(names)}: {text(architecture) or 'unknown'}, weights {(sha256 or 'unknown')[:12]}"
        for (architecture, sha256), names in weights.items()
    )
    return [f"the files are of {len(weights)} networks ({listed}): name the files of one"]


def _name_problems(collected: Collected) -> list[str]:
    """Every file lies under its own name in the bundle."""
    names = [one.path.name for one in collected.artifacts]
    names += [one.path.name for one in collected.records]
    names += [one.name for one in collected.references]
    names += [one.name for one in collected.weights]
    problems = [f"{name}: {found}: rename it" for name in names if (found := name_problem(name)) is not None]
    problems += [
        f"two files would have the name {name} ({earlier} is there before): rename one"
        for earlier, name in doubled([MANIFEST_NAME, CARD_NAME, *names])
    ]
    return problems
