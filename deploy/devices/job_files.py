"""A plan as the files of a job: models, references and inputs under names of the device, and what to do with them."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from condmix.deploy.measure.plan import BenchPlan
from condmix.deploy.metadata import condmix_version
from condmix.runtime.bench.reference import Reference, reference_content
from condmix.runtime.bench.settings import BenchSettings
from condmix.runtime.bench.subject import BenchSubject
from condmix.runtime.external_data import external_files
from condmix.runtime.signature import Tensor

JOB = "job.json"


class JobFiles:
    """Everything that the job reads. paths: of the models, there -> here."""

    def __init__(self, plan: BenchPlan, settings: BenchSettings, command: Sequence[str]) -> None:
        self._plan = plan
        self._settings = settings
        self._command = command
        files = dict.fromkeys(subject.file for subject in plan.subjects)
        # A folder each: files keep their names, by which a reference knows its limits.
        self._there = {here: Path("files", str(number), here.name) for number, here in enumerate(files)}
        self.paths = {there: here for here, there in self._there.items()}

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each file, one at a time; the job itself comes last.

        Raises OSError, and ModelUnreadableError where weights of a model lie outside its folder.
        """
        for here, there in self._there.items():
            content = here.read_bytes()
            yield there.as_posix(), content
            if here.suffix.lower() == ".onnx":
                for location, file in external_files(here, content).items():
                    yield (there.parent / location).as_posix(), file.read_bytes()
        names: dict[int, str] = {}
        for subject in self._plan.subjects:
            for given in (self._plan.references.get(subject.name), self._plan.inputs.get(subject.name)):
                if given is not None and id(given) not in names:
                    names[id(given)] = f"arrays/{len(names)}.npz"
                    yield names[id(given)], reference_content(given) if isinstance(given, Reference) else _npz(given)
        job = {
            "subjects": [self._entry(subject, names) for subject in self._plan.subjects],
            "settings": self._settings.to_dict(),
            "command": list(self._command),
            "condmix_version": condmix_version(),
        }
        yield JOB, json.dumps(job).encode()

    def _entry(self, subject: BenchSubject, names: Mapping[int, str]) -> dict[str, object]:
        reference, inputs = self._plan.references.get(subject.name), self._plan.inputs.get(subject.name)
        return {
            "subject": dataclasses.replace(subject, file=self._there[subject.file], python=None).to_dict(),
            "reference": None if reference is None else names[id(reference)],
            "inputs": None if inputs is None else names[id(inputs)],
        }


def _npz(arrays: Mapping[str, Tensor]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **dict(arrays))  # type: ignore[arg-type]
    return stream.getvalue()
