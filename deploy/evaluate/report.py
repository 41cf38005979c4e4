"""The record of an evaluation: results, the same however they were computed, and how this run came by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from condmix.deploy.evaluate.file_result import FileResult
from condmix.deploy.evaluate.image_rows import NOTHING, ImageRows
from condmix.deploy.evaluate.job import EvalFile, LabelledImage, SourceKind
from condmix.deploy.evaluate.shard import digest_of
from condmix.deploy.metadata import condmix_version

SCHEMA_VERSION = 1
KIND = "condmix-evaluation"
NO_ANSWER = "nothing (scores not finite)"


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """How the results were come by. shards, reused, damaged: see `Progress`. machines: CPUs that computed."""

    scheduler: str
    shards: int
    shard_images: int
    reused: int
    damaged: int
    seconds: float
    machines: tuple[str, ...]
    versions: Mapping[str, str]
    command_line: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvalReport:
    """An evaluation. yardstick: place of the file that others are compared with; None where there is only one file.

    rows: what each file answered, by its place; images: of the set, in order. source: as the user gave it.
    """

    source: str
    images_kind: SourceKind
    images: tuple[LabelledImage, ...]
    images_sha256: str
    files: tuple[EvalFile, ...]
    results: tuple[FileResult, ...]
    rows: Mapping[int, ImageRows]
    run: RunFacts
    notes: tuple[str, ...]

    @property
    def yardstick(self) -> EvalFile:
        """The first file."""
        return self.files[0]

    @property
    def nonfinite_files(self) -> tuple[str, ...]:
        """Names of the files that gave scores which are not finite."""
        pairs = zip(self.files, self.results, strict=True)
        return tuple(file.name for file, result in pairs if result.nonfinite_images)

    def class_name(self, number: int) -> str:
        """As people call it."""
        if number == NOTHING:
            return NO_ANSWER
        names = self.files[0].intake.class_names
        return str(number) if names is None else names[number]

    def results_dict(self) -> dict[str, object]:
        """What follows from files and images alone, as plain data: equal to the last bit, serial or not."""
        return {
            "yardstick": self.yardstick.name,
            "images": {
                "kind": str(self.images_kind),
                "count": len(self.images),
                "classes": self.files[0].class_count,
                "sha256": self.images_sha256,
            },
            "files": [self._file(file, result) for file, result in zip(self.files, self.results, strict=True)],
        }

    @property
    def results_sha256(self) -> str:
        """Of `results_dict`: two runs have the same one exactly when they found the same."""
        return digest_of(self.results_dict())

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "condmix_version": condmix_version(),
            "labelled": self.source,
            "results_sha256": self.results_sha256,
            "results": self.results_dict(),
            "run": {
                **asdict(self.run),
                "machines": list(self.run.machines),
                "versions": dict(self.run.versions),
                "command_line": list(self.run.command_line),
            },
            "notes": list(self.notes),
        }

    def _file(self, file: EvalFile, result: FileResult) -> dict[str, object]:
        return {
            "name": file.name,
            "file": file.shown,
            "format": str(file.source.format),
            "sha256": file.source.sha256,
            "size_bytes": file.size_bytes,
            "engine": file.engine,
            "batch": file.batch,
            **file.intake.facts(),
            "top": {str(k): share.to_dict() for k, share in result.top},
            "nonfinite_images": result.nonfinite_images,
            "classes": [
                {"label": one.label, "class": self.class_name(one.label), **one.right.to_dict()}
                for one in result.classes
            ],
            "confusions": [
                {
                    "label": one.label,
                    "class": self.class_name(one.label),
                    "answer": None if one.answer == NOTHING else one.answer,
                    "answered": self.class_name(one.answer),
                    "count": one.count,
                }
                for one in result.confusions
            ],
            "comparison": self._comparison(result),
        }

    def _comparison(self, result: FileResult) -> dict[str, object] | None:
        found = result.comparison
        if found is None:
            return None
        plain: dict[str, object] = asdict(found)
        plain["agreement"] = found.agreement.to_dict()
        for key in ("sqnr_db_worst", "largest_difference"):
            place = plain.pop(f"{key}_place")
            plain[f"{key}_image"] = self.images[place].name if isinstance(place, int) else None
        return plain
