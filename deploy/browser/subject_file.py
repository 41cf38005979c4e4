"""A file to be measured in a browser: looked into on this side, with the arrays it will be fed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condmix.runtime.artifact import Format
from condmix.runtime.bench.identity import Identity, identify
from condmix.runtime.bench.inputs import Feeds, Inputs, feeds_of_images, random_feeds
from condmix.runtime.bench.reference import Reference
from condmix.runtime.bench.samples import Agreement
from condmix.runtime.bench.subject import LITERT, BenchSubject
from condmix.runtime.bench.verify import cannot_verify
from condmix.runtime.errors import InvalidSettingError
from condmix.runtime.litert_session import LiteRtBackend
from condmix.runtime.onnx_session import OnnxRuntimeBackend, Optimization
from condmix.runtime.signature import Signature, Tensor

LITERT_JS_TYPES = frozenset({"float32", "int32", "uint8"})
_QUANTIZE = "QUANTIZE"
_ALIGNMENT = 16
"""Bytes: a typed array begins at a multiple of the size of its numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SubjectFile:
    """One subject before it is known what the browser offers.

    types: of the inputs and outputs. scales: of those that the file stores as scaled integers.
    agreement: the reason where the reference's images do not fit; else None, and outputs are compared.
    """

    subject: BenchSubject
    identity: Identity
    types: frozenset[str]
    scales: Mapping[str, tuple[float, int]]
    feeds: Feeds
    reference: Reference | None
    agreement: Agreement | None
    signature: Signature | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The same for subjects that differ in their threads only."""
        shapes = tuple(sorted(self.subject.shapes.items()))
        return self.subject.file.absolute(), self.subject.batch, shapes


def look_into(
    subjects: Sequence[BenchSubject], *, inputs: Inputs, references: Mapping[str, Reference], seed: int
) -> tuple[SubjectFile, ...]:
    """Every subject with its signature and what it is fed: its inputs, else its reference's, else random ones.

    Raises ModelUnreadableError, EngineMissingError, or InvalidSettingError with all problems of the subjects.
    """
    problems = _problems(subjects, inputs, references)
    if problems:
        raise InvalidSettingError(problems, record="bench")
    identities = identify(subjects)
    found: list[SubjectFile] = []
    for subject in subjects:
        signature, scales, rounds = _open(subject)
        identity = identities[subject.name]
        if identity.format is Format.TFLITE:
            identity = dataclasses.replace(identity, holds_integers=rounds)
        reference, agreement = references.get(subject.name), None
        feeds = None
        try:
            if subject.name in inputs:
                feeds = _fitted(inputs[subject.name], signature, subject, scales, "given")
            elif reference is not None:
                try:
                    feeds = _fitted(reference.inputs, signature, subject, scales, "reference")
                except InvalidSettingError as error:
                    agreement = cannot_verify(reference, f"its images do not fit: {'; '.join(error.problems)}")
            if feeds is None:
                feeds = random_feeds(signature, seed=seed, batch=subject.batch, shapes=subject.shapes)
        except InvalidSettingError as error:
            problems += [f"{subject.name}: {problem}" for problem in error.problems]
            continue
        found.append(
            SubjectFile(
                subject=subject,
                identity=identity,
                types=frozenset(spec.dtype for spec in (*signature.inputs, *signature.outputs)),
                scales=scales,
                feeds=feeds,
                reference=reference,
                agreement=agreement,
                signature=signature,
            )
        )
    if problems:
        raise InvalidSettingError(problems, record="bench")
    return tuple(found)


def pack_feeds(feeds: Feeds) -> tuple[bytes, list[dict[str, object]]]:
    """All arrays in one piece, little-endian, and where each of them lies: name, dtype, shape [K, ...], offset."""
    content, described = bytearray(), []
    for name, array in feeds.arrays.items():
        content += bytes(-len(content) % _ALIGNMENT)
        described.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "offset": len(content)})
        content += np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    return bytes(content), described


def _problems(subjects: Sequence[BenchSubject], inputs: Inputs, references: Mapping[str, Reference]) -> list[str]:
    names = [one.name for one in subjects]
    problems = [] if subjects else ["subjects is empty: nothing to measure"]
    problems += [f"the name {name!r} is there twice" for name in sorted({one for one in names if names.count(one) > 1})]
    problems += [
        f"there is no subject {name!r} to give inputs or a reference" for name in {*inputs, *references} - {*names}
    ]
    problems += [
        f"{name!r} has both inputs and a reference: in a browser only one of them is fed"
        for name in names
        if name in inputs and name in references
    ]
    problems += [
        f"{one.name!r} is to run without its delegate, which LiteRT.js does not offer"
        for one in subjects
        if not one.delegate
    ]
    return problems


def _open(subject: BenchSubject) -> tuple[Signature, Mapping[str, tuple[float, int]], bool]:
    """In its plainest form: only what goes in and out is asked for, and whether it rounds."""
    if subject.engine == LITERT:
        session = LiteRtBackend().open(subject.file, threads=1, delegate=False)
        scales = session.end_scales()
        return session.signature, scales, bool(scales) or any(one.operator == _QUANTIZE for one in session.nodes())
    opened = OnnxRuntimeBackend().open(subject.file, threads=1, optimization=Optimization.NONE)
    return opened.signature, {}, False


def _fitted(
    images: Mapping[str, Tensor],
    signature: Signature,
    subject: BenchSubject,
    scales: Mapping[str, tuple[float, int]],
    source: str,
) -> Feeds:
    return feeds_of_images(images, signature, source=source, batch=subject.batch, shapes=subject.shapes, scales=scales)
