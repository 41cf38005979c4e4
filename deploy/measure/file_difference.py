"""Two model files of anybody beside each other: what they are, hold, run in and answer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from condmix.deploy.errors import UnreadableFileError
from condmix.deploy.evaluate.intake import metadata_of
from condmix.deploy.measure.output_difference import OutputComparison, compare_outputs
from condmix.deploy.measure.stored_weights import WeightsDifference, compare_weights, stored_weights
from condmix.runtime.artifact import Format
from condmix.runtime.audit.audit import audit_file, format_of
from condmix.runtime.audit.onnx_file import read_onnx
from condmix.runtime.audit.vocabulary import Arithmetic
from condmix.runtime.errors import (
    ComparisonImpossibleError,
    EngineMissingError,
    InvalidSettingError,
    SessionFailedError,
)
from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.onnx_session import OnnxRuntimeBackend, OnnxRuntimeSession
from condmix.runtime.output_kind import kinds_in
from condmix.runtime.signature import Signature, TensorSpec

SCHEMA_VERSION = 1
KIND = "condmix-difference-files"


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """One file. operators: as the file stores them, name -> number.

    shares: arithmetic -> share of multiply-adds as the engine runs them; empty without any multiply-adds.
    """

    path: Path
    format: Format
    size_bytes: int
    sha256: str
    signature: Signature
    operators: Mapping[str, int]
    shares: Mapping[str, float]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "path": str(self.path),
            "format": str(self.format),
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "signature": self.signature.to_dict(),
            "operators": dict(self.operators),
            "shares_of_multiply_adds": dict(self.shares),
        }


@dataclass(frozen=True, kw_only=True)
class FilesDifference:
    """Both files and how they differ. weights and outputs: None where the files are the same, byte for byte."""

    a: FileFacts
    b: FileFacts
    weights: WeightsDifference | None
    outputs: OutputComparison | None

    @property
    def same_bytes(self) -> bool:
        """Nothing differs."""
        return self.a.sha256 == self.b.sha256

    @property
    def operator_counts(self) -> Mapping[str, tuple[int, int]]:
        """Operators that one has more of: name -> (number in a, number in b), the largest difference first."""
        names = dict.fromkeys((*self.a.operators, *self.b.operators))
        counts = {name: (self.a.operators.get(name, 0), self.b.operators.get(name, 0)) for name in names}
        differing = {name: pair for name, pair in counts.items() if pair[0] != pair[1]}
        return dict(sorted(differing.items(), key=lambda item: (-abs(item[1][0] - item[1][1]), item[0])))

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "same_bytes": self.same_bytes,
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "operator_counts": {name: list(pair) for name, pair in self.operator_counts.items()},
            "weights": None if self.weights is None else self.weights.to_dict(),
            "outputs": None if self.outputs is None else self.outputs.to_dict(),
        }


def compare_files(
    a: Path, b: Path, *, shapes: Mapping[str, tuple[int, ...]], report_progress: Callable[[str], None]
) -> FilesDifference:
    """Everything by which the two can be told apart.

    shapes: input name -> shape, for inputs with free axes. A name that only one file has is for that one.

    Raises ModelUnreadableError, EngineMissingError, UnreadableFileError, InvalidSettingError.
    """
    formats = [format_of(path) for path in (a, b)]
    sessions = [_open(path, format) for path, format in zip((a, b), formats, strict=True)]
    known = {spec.name for session in sessions for spec in session.signature.inputs}
    if unknown := [name for name in shapes if name not in known]:
        problem = f"no input is named {', '.join(map(repr, unknown))}; inputs are {', '.join(map(repr, sorted(known)))}"
        raise InvalidSettingError([problem], record="--shape")
    facts = []
    for path, format, session in zip((a, b), formats, sessions, strict=True):
        report_progress(f"read {path.name}")
        facts.append(_facts(path, format, session, shapes))
    if facts[0].sha256 == facts[1].sha256:
        return FilesDifference(a=facts[0], b=facts[1], weights=None, outputs=None)
    report_progress("compare constants")
    weights = compare_weights(*(stored_weights(path, format) for path, format in zip((a, b), formats, strict=True)))
    report_progress("compare outputs")
    try:
        kinds = _kinds_of(a, formats[0])
        outputs = compare_outputs(sessions[0], sessions[1], shapes, kinds)
    except SessionFailedError as error:
        raise UnreadableFileError(str(error)) from error
    return FilesDifference(a=facts[0], b=facts[1], weights=weights, outputs=outputs)


def _kinds_of(path: Path, format: Format) -> Mapping[str, str]:
    """What the file says that its outputs are; nothing where the package that reads it is not installed."""
    try:
        return kinds_in(metadata_of(path, format)[0])
    except EngineMissingError:
        return {}


def tensor_text(spec: TensorSpec) -> str:
    """Name, type and shape of an input or output."""
    return f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape)) or 'scalar'}"


def _open(path: Path, format: Format) -> OnnxRuntimeSession | LiteRtSession:
    if format is Format.TFLITE:
        return LiteRtBackend().open(path, threads=1)
    return OnnxRuntimeBackend().open(path, threads=1)


def _facts(
    path: Path, format: Format, session: OnnxRuntimeSession | LiteRtSession, shapes: Mapping[str, tuple[int, ...]]
) -> FileFacts:
    own = {spec.name for spec in session.signature.inputs}
    given = {name: shape for name, shape in shapes.items() if name in own} if format is Format.ONNX else {}
    try:
        audit = audit_file(path, threads=1, runs=1, shapes=given)
    except (SessionFailedError, ComparisonImpossibleError) as error:
        # The file opens, but no run of it can be looked at.
        raise UnreadableFileError(str(error)) from error
    content = path.read_bytes()
    shares = {str(kind): audit.share_of_multiply_adds(kind) or 0.0 for kind in Arithmetic}
    return FileFacts(
        path=path,
        format=format,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        signature=session.signature,
        operators=_operators(path, session),
        shares={kind: share for kind, share in shares.items() if share},
    )


def _operators(path: Path, session: OnnxRuntimeSession | LiteRtSession) -> dict[str, int]:
    if isinstance(session, LiteRtSession):
        names = [node.operator for node in session.nodes() if not node.is_delegate]
    else:
        names = [node.operator for node in read_onnx(path).nodes]
    return dict(Counter(names).most_common())
